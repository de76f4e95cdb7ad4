//! Target choice: which target of a model the next attempt goes to.

use crate::{Strategy, TargetPlan};

/// The inputs of chance and turn that a choice may use.
#[derive(Clone, Copy, Debug)]
pub struct Draw {
    /// A counter that grows by one per exchange of the model.
    pub turn: u64,
    /// A random number, uniform over the whole range.
    pub random: u64,
}

/// Chooses a target that is not excluded, or `None` where all are.
///
/// Targets of weight 0 are chosen by [`Strategy::Weighted`] only when no other remains.
pub fn pick(
    targets: &[TargetPlan],
    strategy: Strategy,
    draw: Draw,
    excluded: impl Fn(usize) -> bool,
) -> Option<usize> {
    let open = || (0..targets.len()).filter(|&target| !excluded(target));
    match strategy {
        Strategy::First => open().next(),
        Strategy::RoundRobin => {
            let count = u64::try_from(open().count()).ok()?;
            let turn = draw.turn.checked_rem(count)?;
            open().nth(usize::try_from(turn).ok()?)
        }
        Strategy::Weighted => {
            let weighted = || open().filter_map(|target| Some((target, targets.get(target)?.weight)));
            by_weight(weighted, draw.random).or_else(|| open().next())
        }
    }
}

/// Chooses in proportion to the weights, or `None` where their sum is 0.
fn by_weight<I: Iterator<Item = (usize, u32)>>(weighted: impl Fn() -> I, random: u64) -> Option<usize> {
    // The sum cannot overflow: a u64 holds four billion full weights.
    let total = weighted().fold(0_u64, |sum, (_, weight)| sum.saturating_add(u64::from(weight)));
    // Multiply and shift maps the random number to `0..total` without a division; the bias is
    // below total/2^64.
    let scaled = u128::from(random).saturating_mul(u128::from(total)) >> 64;
    let mut rest = u64::try_from(scaled).unwrap_or(0);
    for (target, weight) in weighted() {
        match rest.checked_sub(u64::from(weight)) {
            Some(left) => rest = left,
            None => return Some(target),
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::{Draw, pick};
    use crate::{Strategy, TargetPlan};

    fn targets(weights: &[u32]) -> Vec<TargetPlan> {
        let target =
            |&weight| TargetPlan { provider: "provider".into(), model: "model".into(), weight, price: None };
        weights.iter().map(target).collect()
    }

    /// How often each target is chosen over evenly spread draws.
    fn shares(weights: &[u32], strategy: Strategy, excluded: &[usize]) -> Vec<usize> {
        const DRAWS: u64 = 1_200;
        let targets = targets(weights);
        let mut counts = vec![0; weights.len()];
        for turn in 0..DRAWS {
            let draw =
                Draw { turn, random: u64::try_from((u128::from(turn) << 64) / u128::from(DRAWS)).unwrap() };
            if let Some(target) = pick(&targets, strategy, draw, |target| excluded.contains(&target)) {
                counts[target] += 1;
            }
        }
        counts
    }

    #[test]
    fn first_takes_the_first_that_is_not_excluded() {
        assert_eq!(shares(&[1, 1, 1], Strategy::First, &[]), [1_200, 0, 0]);
        assert_eq!(shares(&[1, 1, 1], Strategy::First, &[0]), [0, 1_200, 0]);
    }

    #[test]
    fn round_robin_shares_evenly_among_what_remains() {
        assert_eq!(shares(&[1, 1, 1], Strategy::RoundRobin, &[]), [400, 400, 400]);
        assert_eq!(shares(&[1, 1, 1], Strategy::RoundRobin, &[1]), [600, 0, 600]);
    }

    #[test]
    fn weighted_shares_in_proportion_among_what_remains() {
        assert_eq!(shares(&[1, 2, 1], Strategy::Weighted, &[]), [300, 600, 300]);
        assert_eq!(shares(&[1, 2, 1], Strategy::Weighted, &[1]), [600, 0, 600]);
    }

    #[test]
    fn weight_zero_stands_in_only_when_no_other_remains() {
        assert_eq!(shares(&[0, 1], Strategy::Weighted, &[]), [0, 1_200]);
        assert_eq!(shares(&[0, 1], Strategy::Weighted, &[1]), [1_200, 0]);
    }

    #[test]
    fn nothing_is_chosen_when_all_are_excluded() {
        for strategy in [Strategy::First, Strategy::RoundRobin, Strategy::Weighted] {
            assert_eq!(shares(&[1, 1], strategy, &[0, 1]), [0, 0], "{strategy:?}");
        }
    }

    #[test]
    fn extreme_draws_choose_a_target() {
        let targets = targets(&[u32::MAX, u32::MAX]);
        for random in [0, u64::MAX] {
            assert!(pick(&targets, Strategy::Weighted, Draw { turn: 0, random }, |_| false).is_some());
        }
    }
}
