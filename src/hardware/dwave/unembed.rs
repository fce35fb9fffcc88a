//! From qubits back to spins.

use super::options::Unembedding;
use crate::hardware::Embedding;
use crate::hardware::sapi::Answer;
use crate::ising::Ising;
use crate::random::Stream;
use std::collections::HashMap;

/// The spins of one model in an answer.
pub(super) struct Unembedded {
    /// `[len, n_spins]`
    pub spins: Vec<i8>,
    /// In how many reads each chain was broken, `[n_spins]`.
    pub broken: Vec<usize>,
}

pub(super) fn unembed(
    model: &Ising,
    embedding: &Embedding,
    gauge: &[i8],
    method: Unembedding,
    answer: &Answer,
    rng: &mut Stream,
) -> Unembedded {
    let places = answer.active.iter().enumerate().map(|(k, &q)| (q, k));
    let places: HashMap<u32, usize> = places.collect();
    let chain = |chain: &Vec<u32>| chain.iter().map(|q| places[q]).collect();
    let chains: Vec<Vec<usize>> = embedding.chains().iter().map(chain).collect();
    let mut all = Unembedded { spins: Vec::new(), broken: vec![0; chains.len()] };
    let width = answer.active.len();
    for (k, &count) in answer.counts.iter().enumerate() {
        let read = &answer.spins[k * width..][..width];
        let sums: Vec<i32> =
            chains.iter().map(|chain| chain.iter().map(|&k| i32::from(read[k])).sum()).collect();
        let turn = |i: usize, s: i8| s * gauge.get(i).copied().unwrap_or(1);
        let whole = |i: usize| sums[i].unsigned_abs() as usize == chains[i].len();
        let mut spins: Vec<i8> = (0..chains.len())
            .map(|i| if whole(i) { turn(i, sums[i].signum() as i8) } else { 0 })
            .collect();
        let open: Vec<usize> = (0..chains.len()).filter(|&i| spins[i] == 0).collect();
        open.iter().for_each(|&i| all.broken[i] += count);
        let mut vote = |i: usize| match sums[i].signum() as i8 {
            0 => rng.sign() as i8,
            s => turn(i, s),
        };
        match method {
            Unembedding::MajorityVote => open.iter().for_each(|&i| spins[i] = vote(i)),
            Unembedding::MinimiseEnergy => descend(model, open, &mut spins, vote),
        }
        all.spins.extend(spins);
    }
    all
}

/// Decides the open spins, which are zero, by their local fields.
fn descend(
    model: &Ising,
    mut open: Vec<usize>,
    spins: &mut [i8],
    mut vote: impl FnMut(usize) -> i8,
) {
    let field = |i: usize, spins: &[i8]| {
        let (columns, values) = model.neighbours(i);
        let terms = columns.iter().zip(values).map(|(&j, v)| v * f64::from(spins[j as usize]));
        model.fields()[i] + terms.sum::<f64>()
    };
    while !open.is_empty() {
        let strength = |&k: &usize| field(open[k], spins).abs();
        let most = (0..open.len()).max_by(|a, b| strength(a).total_cmp(&strength(b)));
        let i = open.swap_remove(most.unwrap_or(0));
        spins[i] = match field(i, spins) {
            f if f > 0.0 => -1,
            f if f < 0.0 => 1,
            _ => vote(i),
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Three spins on chains of 3, 1 and 2 qubits, the first and the last broken.
    #[test]
    fn broken_chains_are_decided_as_asked() {
        let model = Ising::sparse(vec![0.0, 0.0, 0.0], [(0, 1, 1.0), (0, 2, 0.5)], 0.0).unwrap();
        let embedding = Embedding::new(vec![vec![7, 3, 5], vec![4], vec![9, 2]]);
        let answer = Answer {
            active: vec![2, 3, 4, 5, 7, 9],
            spins: vec![1, 1, 1, 1, -1, -1],
            energies: vec![0.0],
            counts: vec![10],
            timing: Default::default(),
        };
        let run = |method, gauge: &[i8]| {
            unembed(&model, &embedding, gauge, method, &answer, &mut Stream::new(1, 0))
        };
        let voted = run(Unembedding::MajorityVote, &[]);
        assert_eq!(voted.spins[..2], [1, 1]);
        assert_eq!(voted.broken, [10, 0, 10]);
        assert_eq!(run(Unembedding::MinimiseEnergy, &[]).spins, [-1, 1, 1]);
        assert_eq!(run(Unembedding::MajorityVote, &[-1, -1, 1]).spins[..2], [-1, -1]);
        let ties: Vec<i8> = (0..200)
            .map(|seed| {
                let mut rng = Stream::new(seed, 0);
                unembed(&model, &embedding, &[], Unembedding::MajorityVote, &answer, &mut rng).spins
                    [2]
            })
            .collect();
        let up = ties.iter().filter(|&&s| s == 1).count() as f64;
        assert!((up - 100.0).abs() < 4.0 * 50f64.sqrt(), "{up}");
    }
}
