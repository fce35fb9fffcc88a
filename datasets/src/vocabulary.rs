//! The words that a model knows.

use crate::error::{Error, corrupt, io};
use std::collections::HashMap;
use std::fs;
use std::path::Path;
use unicode_segmentation::UnicodeSegmentation;

/// The words that a model knows, numbered: token 0 is padding, token 1 any other word.
///
/// Words are those of Unicode's
/// [standard annex 29](https://www.unicode.org/reports/tr29/#Word_Boundaries), in lower case;
/// punctuation marks are words of their own. Build it from the training set only, and save it with
/// the model: other numbers make other texts.
///
/// ```
/// use burn_quantum_datasets::Vocabulary;
///
/// let vocabulary = Vocabulary::build(["A fine film.", "no film"], 100, 1);
/// assert_eq!(vocabulary.encode("A film?"), [4, 2, 1]);
/// assert_eq!(vocabulary.word(2), Some("film"));
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Vocabulary {
    words: Vec<String>,
    tokens: HashMap<String, u32>,
}

/// They hold signs that no word holds.
const SPECIAL: [&str; 2] = ["<pad>", "<unk>"];

impl Vocabulary {
    /// The token of padding.
    pub const PADDING: u32 = 0;
    /// The token of all words that are not in the vocabulary.
    pub const UNKNOWN: u32 = 1;

    /// The words that occur at least `min_count` times in `texts`, at most `max_words` of them, the
    /// most frequent first and in alphabetical order where they are equally frequent.
    pub fn build<'a>(
        texts: impl IntoIterator<Item = &'a str>,
        max_words: usize,
        min_count: usize,
    ) -> Self {
        let mut counts: HashMap<String, usize> = HashMap::new();
        for word in texts.into_iter().flat_map(words) {
            *counts.entry(word).or_default() += 1;
        }
        let mut counts: Vec<_> = counts.into_iter().filter(|&(_, n)| n >= min_count).collect();
        counts.sort_unstable_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
        let known = counts.into_iter().take(max_words).map(|(word, _)| word);
        Self::of(SPECIAL.map(String::from).into_iter().chain(known).collect())
    }

    fn of(words: Vec<String>) -> Self {
        let tokens = words.iter().enumerate().map(|(i, word)| (word.clone(), i as u32)).collect();
        Self { words, tokens }
    }

    /// The number of tokens, padding and unknown words included.
    #[allow(clippy::len_without_is_empty)] // it always holds two
    pub fn len(&self) -> usize {
        self.words.len()
    }

    /// The word of a token; `<pad>` and `<unk>` for the first two.
    pub fn word(&self, token: u32) -> Option<&str> {
        self.words.get(token as usize).map(String::as_str)
    }

    /// The tokens of a text.
    pub fn encode(&self, text: &str) -> Vec<u32> {
        let token = |word: String| self.tokens.get(&word).copied().unwrap_or(Self::UNKNOWN);
        words(text).map(token).collect()
    }

    /// Writes the words as a JSON array, in the order of their tokens.
    ///
    /// # Errors
    ///
    /// When the file cannot be written.
    pub fn save(&self, path: &Path) -> Result<(), Error> {
        let text = serde_json::to_string_pretty(&self.words).expect("strings are JSON");
        fs::write(path, text).map_err(io(path))
    }

    /// Reads what [`save`](Self::save) wrote.
    ///
    /// # Errors
    ///
    /// When the file cannot be read, is no array of strings, does not begin with the two special
    /// words, or holds a word twice.
    pub fn load(path: &Path) -> Result<Self, Error> {
        let text = fs::read_to_string(path).map_err(io(path))?;
        let words: Vec<String> = serde_json::from_str(&text)
            .map_err(|error| corrupt(path, format!("not an array of words ({error})")))?;
        if !words.iter().take(2).eq(SPECIAL.iter()) {
            return Err(corrupt(path, format!("it does not begin with {SPECIAL:?}")));
        }
        let vocabulary = Self::of(words);
        let twice = |(i, word): &(usize, &String)| vocabulary.tokens[*word] != *i as u32;
        match vocabulary.words.iter().enumerate().find(twice) {
            Some((i, word)) => Err(corrupt(path, format!("word {i}, `{word}`, comes twice"))),
            None => Ok(vocabulary),
        }
    }
}

fn words(text: &str) -> impl Iterator<Item = String> {
    let pieces = text.split_word_bounds().filter(|piece| !piece.trim().is_empty());
    pieces.map(str::to_lowercase)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frequent_words_come_first_and_rare_ones_are_unknown() {
        let texts = ["b a b", "B c, don't", "a  b"];
        let all = Vocabulary::build(texts, usize::MAX, 1);
        let words: Vec<_> = (0..all.len() as u32).map(|t| all.word(t).unwrap()).collect();
        assert_eq!(words, ["<pad>", "<unk>", "b", "a", ",", "c", "don't"]);
        assert_eq!(all.encode("a, x B"), [3, 4, 1, 2]);
        assert_eq!(Vocabulary::build(texts, usize::MAX, 2).len(), 4);
        let short = Vocabulary::build(texts, 1, 1);
        assert_eq!((short.len(), short.encode("a b")), (3, vec![1, 2]));
        assert_eq!(all.word(7), None);
    }

    #[test]
    fn special_words_cannot_be_written_in_a_text() {
        let vocabulary = Vocabulary::build(["<pad> <unk>"], usize::MAX, 1);
        assert!(!vocabulary.encode("<pad> <unk>").iter().any(|&token| token < 2));
    }

    #[test]
    fn a_saved_vocabulary_gives_the_same_tokens() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let vocabulary = Vocabulary::build(["\"quoted\" é 日本"], usize::MAX, 1);
        vocabulary.save(file.path()).unwrap();
        assert_eq!(Vocabulary::load(file.path()).unwrap(), vocabulary);
    }

    #[test]
    fn damaged_files_are_refused_with_the_reason() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let message = |text: &str| {
            fs::write(file.path(), text).unwrap();
            let error = Vocabulary::load(file.path()).unwrap_err();
            assert!(error.is_corrupt());
            error.to_string()
        };
        let cases = [
            (r#"["<pad>", "<unk>", "a""#, "not an array of words"),
            (r#"{"a": 1}"#, "not an array of words"),
            (r#"["<unk>", "<pad>"]"#, r#"it does not begin with ["<pad>", "<unk>"]"#),
            (r#"["<pad>"]"#, "it does not begin with"),
            (r#"["<pad>", "<unk>", "a", "a"]"#, "word 2, `a`, comes twice"),
        ];
        for (text, expected) in cases {
            assert!(message(text).contains(expected), "{text}: {}", message(text));
        }
        let missing = Vocabulary::load(Path::new("no-such-file")).unwrap_err();
        assert!(missing.to_string().contains("`no-such-file`: "), "{missing}");
    }
}
