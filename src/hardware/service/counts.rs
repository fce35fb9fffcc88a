//! How often each basis index was found.

use std::collections::BTreeMap;

/// How often each basis index was found.
pub(in crate::hardware) type Counts = BTreeMap<usize, usize>;

/// Probabilities that a service sends may be rounded by this much in total.
const ROUNDING: f64 = 1e-4;

/// The counts of outcomes one by one.
pub(in crate::hardware) fn of_outcomes(
    outcomes: impl IntoIterator<Item = Result<usize, String>>,
) -> Result<Counts, String> {
    let mut counts = Counts::new();
    for outcome in outcomes {
        *counts.entry(outcome?).or_insert(0) += 1;
    }
    Ok(counts)
}

/// The index of a bit string, whose character `k` is qubit `qubits[k]`.
pub(in crate::hardware) fn of_text(text: &str, qubits: &[usize]) -> Result<usize, String> {
    if text.len() != qubits.len() {
        return Err(format!("{text:?} is not of {} bits", qubits.len()));
    }
    let bit = |(byte, &qubit): (u8, &usize)| match byte {
        b'0' => Ok(0),
        b'1' => Ok(1 << qubit),
        _ => Err(format!("{text:?} is not of bits")),
    };
    text.bytes().zip(qubits).map(bit).sum()
}

/// The counts of `shots` shots of which a service tells only the shares.
///
/// Where the shares are those of counts, these come back exactly. Others (of a simulator, which does
/// not sample) are rounded: down first, and the shots left over go to the largest remainders, in a
/// tie to the smaller index. So no shot is lost, and no count is off by one or more.
pub(in crate::hardware) fn of_probabilities(
    probabilities: &BTreeMap<usize, f64>,
    shots: usize,
) -> Result<Counts, String> {
    if let Some((index, p)) =
        probabilities.iter().find(|(_, p)| !(0.0..=1.0 + ROUNDING).contains(*p))
    {
        return Err(format!("the probability of {index} is {p}"));
    }
    let total = probabilities.values().sum::<f64>() + 0.0; // an empty sum is -0
    if (total - 1.0).abs() > ROUNDING {
        return Err(format!("the probabilities add up to {total}, not to 1"));
    }
    let shares: Vec<(usize, f64)> =
        probabilities.iter().map(|(&index, &p)| (index, p / total * shots as f64)).collect();
    let mut counts: Vec<usize> = shares.iter().map(|(_, share)| share.floor() as usize).collect();
    let mut order: Vec<usize> = (0..shares.len()).collect();
    order.sort_by(|&a, &b| shares[b].1.fract().total_cmp(&shares[a].1.fract()));
    let given: usize = counts.iter().sum();
    let left = shots.checked_sub(given).ok_or("more shots than were asked for")?;
    order.iter().take(left).for_each(|&k| counts[k] += 1);
    let counts = shares.iter().map(|&(index, _)| index).zip(counts);
    Ok(counts.filter(|&(_, count)| count > 0).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::Stream;

    #[test]
    fn shares_of_counts_come_back_as_the_counts() {
        let mut rng = Stream::new(7, 0);
        for shots in [1, 3, 29, 100, 1000, 4096] {
            let outcomes = (0..shots).map(|_| Ok((16.0 * rng.uniform().powi(2)) as usize));
            let counts = of_outcomes(outcomes).unwrap();
            let share = |(&index, &count): (&usize, &usize)| (index, count as f64 / shots as f64);
            assert_eq!(
                of_probabilities(&counts.iter().map(share).collect(), shots).unwrap(),
                counts
            );
            // As decimals of a few digits, too.
            let rounded = |(&index, &count): (&usize, &usize)| {
                (index, (count as f64 / shots as f64 * 1e8).round() / 1e8)
            };
            let rounded = counts.iter().map(rounded).collect();
            assert_eq!(of_probabilities(&rounded, shots).unwrap(), counts);
        }
    }

    #[test]
    fn rounding_keeps_the_total_and_is_off_by_less_than_one() {
        let mut rng = Stream::new(8, 0);
        for shots in [1, 2, 10, 333, 1000] {
            let weights: Vec<f64> = (0..9).map(|_| rng.uniform().powi(3)).collect();
            let sum: f64 = weights.iter().sum();
            let p: BTreeMap<usize, f64> = weights.iter().map(|w| w / sum).enumerate().collect();
            let counts = of_probabilities(&p, shots).unwrap();
            assert_eq!(counts.values().sum::<usize>(), shots);
            for (index, p) in p {
                let count = *counts.get(&index).unwrap_or(&0) as f64;
                assert!((count - p * shots as f64).abs() < 1.0, "{index}: {count}, {p}");
            }
        }
        let thirds = (0..3).map(|k| (k, 1.0 / 3.0)).collect();
        assert_eq!(of_probabilities(&thirds, 10).unwrap(), Counts::from([(0, 4), (1, 3), (2, 3)]));
    }

    #[test]
    fn what_is_no_distribution_is_refused() {
        for p in [vec![0.5, 0.4], vec![], vec![1.5, -0.5], vec![f64::NAN, 1.0], vec![2.0]] {
            assert!(of_probabilities(&p.into_iter().enumerate().collect(), 10).is_err());
        }
    }

    #[test]
    fn bit_strings_have_a_place_for_each_qubit() {
        assert_eq!(of_text("011", &[0, 1, 2]).unwrap(), 0b110);
        assert_eq!(of_text("011", &[2, 1, 0]).unwrap(), 0b011);
        assert!(of_text("01", &[0, 1, 2]).is_err() && of_text("0x1", &[0, 1, 2]).is_err());
    }
}
