//! Which server gets a request.

use std::iter::once_with;

/// The servers to try, best first: the pinned one, then the others from the one whose turn it is. A turn is taken only
/// when the pinned server did not answer, so that pinned clients do not use up the turns of new ones.
pub(crate) fn order(
    pinned: Option<usize>,
    servers: usize,
    turn: impl FnOnce() -> usize,
) -> impl Iterator<Item = usize> {
    let others = once_with(turn).flat_map(move |turn| (0..servers).map(move |step| (turn + step) % servers));
    pinned.into_iter().chain(others.filter(move |server| Some(*server) != pinned))
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    fn all(pinned: Option<usize>, servers: usize, turn: usize) -> Vec<usize> {
        order(pinned, servers, || turn).collect()
    }

    #[test]
    fn a_new_client_goes_to_the_server_whose_turn_it_is() {
        assert_eq!(all(None, 3, 4), [1, 2, 0]);
    }

    #[test]
    fn a_pinned_client_stays_and_moves_only_after_its_server() {
        assert_eq!(all(Some(2), 3, 1), [2, 1, 0]);
    }

    #[test]
    fn every_server_is_tried_once() {
        for turn in 0..9 {
            let mut tried = all(Some(1), 4, turn);
            tried.sort_unstable();
            assert_eq!(tried, [0, 1, 2, 3]);
        }
    }

    #[test]
    fn a_client_that_stays_takes_no_turn() {
        let taken = Cell::new(false);
        let turn = || {
            taken.set(true);
            0
        };
        assert_eq!(order(Some(1), 3, turn).next(), Some(1));
        assert!(!taken.get());
    }

    #[test]
    fn without_servers_there_is_none_to_try() {
        assert!(all(None, 0, 5).is_empty());
    }
}
