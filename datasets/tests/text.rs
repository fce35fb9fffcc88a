//! Labelled texts from TSV and CSV files.

use burn_quantum_datasets::{TextDataset, TextFormat};
use std::fs;
use std::path::Path;

fn parse(content: &[u8], format: TextFormat) -> Result<TextDataset, String> {
    let parsed = TextDataset::parse("f".as_ref(), content, format);
    parsed.map_err(|error| {
        assert!(error.is_corrupt());
        error.to_string()
    })
}

#[test]
fn tsv_with_and_without_a_header() {
    let body = "a \"fine film\t1\n\tof no  interest , at all \t0\r\n\nlast, without a line end\t1";
    let body = body.replacen("\tof", "of", 1);
    let plain = parse(body.as_bytes(), TextFormat::SST2).unwrap();
    let texts = ["a \"fine film", "of no  interest , at all", "last, without a line end"];
    assert_eq!((plain.texts(), plain.labels()), (&texts.map(String::from)[..], &[1, 0, 1][..]));
    assert_eq!(plain.n_classes(), 2);
    let headed = format!("sentence\tlabel\n{body}");
    assert_eq!(parse(headed.as_bytes(), TextFormat::SST2).unwrap(), plain);
}

#[test]
fn csv_of_three_columns_with_quotes() {
    let body = "\"3\",\"Oil, again\",\"He said \"\"no\"\".\"\n1,World,news\n4,Tech,\"more\"\n";
    let news = parse(body.as_bytes(), TextFormat::AG_NEWS).unwrap();
    assert_eq!(news.texts(), ["Oil, again He said \"no\".", "World news", "Tech more"]);
    assert_eq!((news.labels(), news.n_classes()), (&[2, 0, 3][..], 4));
    let headed = format!("Class Index,Title,Description\n{body}");
    assert_eq!(parse(headed.as_bytes(), TextFormat::AG_NEWS).unwrap(), news);
}

#[test]
fn what_is_wrong_is_said_with_its_line() {
    use TextFormat as Format;
    let cases: [(&[u8], TextFormat, &str); 14] = [
        (b"", Format::SST2, "`f` is corrupt: it holds no text"),
        (b"sentence\tlabel\n", Format::SST2, "`f` is corrupt: it holds no text"),
        (b"a\t0\nb\t0\n", Format::SST2, "`f` is corrupt: all labels are 0"),
        (b"a\t0\nb\n", Format::SST2, "`f`, line 2: 1 columns, the first line has 2"),
        (b"a\t0\n\nb\tc\t1\n", Format::SST2, "`f`, line 3: 3 columns, the first line has 2"),
        (b"a\t0\r\n\r\nb\r\n", Format::SST2, "`f`, line 3: 1 columns, the first line has 2"),
        (b"a 0\n", Format::SST2, "`f`, line 1: one column, expected a text and a label"),
        (
            b"a\t0\nb\tlabel\n",
            Format::SST2,
            "`f`, line 2: label `label`: use a number from 0 to 255",
        ),
        (b"a\tgood\n", Format::SST2, "`f`, line 1: label `good`: use a number from 0 to 255"),
        (b"a\t0\nb\t256\n", Format::SST2, "`f`, line 2: label 256: use a number from 0 to 255"),
        (b"a\t0\nb\t-1\n", Format::SST2, "`f`, line 2: label `-1`: use a number from 0 to 255"),
        (b"a\t0\n \t1\n", Format::SST2, "`f`, line 2: the text is empty"),
        (b"a\t0\n\xff\t1\n", Format::SST2, "`f`, line 2: not UTF-8"),
        (b"1,a,b\n0,a,b\n", Format::AG_NEWS, "`f`, line 2: label 0: use a number from 1 to 255"),
    ];
    for (content, format, message) in cases {
        let shown = String::from_utf8_lossy(content);
        assert_eq!(parse(content, format).expect_err(&shown), message, "{shown:?}");
    }
    let open = b"1,a,b\n2,c,\"d\n1,e,f\n2,g,h\n";
    let error = parse(open, Format::AG_NEWS).unwrap_err();
    assert!(error.starts_with("`f`, line 2: the quote of a column that begins here is not closed"));
    // Two columns that are not closed, of which each hides the other.
    for open in ["1,a,b\n2,\"c,d\n1,\"e,f\n2,g,h\n", "1,\"a\nb\",c\n2,\"c\" d,e\n"] {
        let error = parse(open.as_bytes(), Format::AG_NEWS).unwrap_err();
        let line = if open.starts_with("1,a") { 2 } else { 3 };
        assert!(error.starts_with(&format!("`f`, line {line}: the quote of a column")), "{error}");
        assert!(error.contains("is closed before its end"), "{error}");
    }
    let inches =
        parse(b"1,A 15\" screen,nice\r\n2,\"\",\"\"\"b\"\"\"\r\n", Format::AG_NEWS).unwrap();
    assert_eq!(inches.texts(), ["A 15\" screen nice", "\"b\""]);
}

fn write(folder: &Path, files: &[(&str, &str)]) {
    files.iter().for_each(|(name, content)| fs::write(folder.join(name), content).unwrap());
}

#[test]
fn a_folder_holds_a_training_and_a_test_set() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let message = || TextDataset::load(folder).unwrap_err().to_string();
    let absent = TextDataset::load(&folder.join("absent")).unwrap_err();
    assert!(absent.is_missing() && absent.to_string().contains("absent` is not a folder"));
    assert!(message().contains("neither `train.tsv` nor `train.csv` is in"), "{}", message());
    write(folder, &[("train.tsv", "a\t0\nb\t2\n")]);
    assert!(message().contains("neither `test.tsv`"), "{}", message());
    assert!(TextDataset::load(folder).unwrap_err().is_missing());

    write(folder, &[("test.tsv", "c\t1\n")]);
    let [train, test] = TextDataset::load(folder).unwrap();
    assert_eq!((train.labels(), test.labels()), (&[0, 2][..], &[1][..]));
    assert_eq!((train.n_classes(), test.n_classes()), (3, 3));

    write(folder, &[("test.tsv", "c\t1\nd\t3\n")]);
    assert!(message().contains("line 2: label 3: use a number from 0 to 2"), "{}", message());
    write(folder, &[("train.csv", "1,a\n2,b\n")]);
    assert!(message().contains("is both a `.tsv` and a `.csv`"), "{}", message());
    fs::remove_file(folder.join("train.tsv")).unwrap();
    fs::remove_file(folder.join("test.tsv")).unwrap();
    write(folder, &[("test.csv", "2,c\n")]);
    assert_eq!(TextDataset::load(folder).unwrap()[1].labels(), [1]);
}

#[test]
fn filtering_keeps_the_classes() {
    let texts = parse(b"a\t0\nb\t1\nc\t2\n", TextFormat::SST2).unwrap();
    let some = texts.filter(|i| i != 1);
    assert_eq!((some.texts(), some.labels()), (&["a".into(), "c".into()][..], &[0, 2][..]));
    assert_eq!(some.n_classes(), 3);
}
