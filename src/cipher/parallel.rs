//! Independent work on all cores.

use std::num::NonZero;
use std::thread;

use super::keys::overwrite_stack;

/// The results of `work` for all items, in their order, on as many threads as there are cores. So many items
/// are worth a thread: fewer cost less on one.
pub(super) fn map<T: Sync, R: Send>(
    items: &[T],
    worth_a_thread: usize,
    work: impl Fn(&T) -> R + Sync,
) -> Vec<R> {
    // Only this thread knows of it.
    #[cfg(test)]
    if super::keys::quick::is_on() {
        return items.iter().map(work).collect();
    }
    let threads = thread::available_parallelism()
        .map_or(1, NonZero::get)
        .min(items.len() / worth_a_thread);
    if threads < 2 {
        return items.iter().map(work).collect();
    }
    let work = &work;
    thread::scope(|scope| {
        let workers: Vec<_> = items
            .chunks(items.len().div_ceil(threads))
            .map(|chunk| {
                scope.spawn(move || {
                    let results = chunk.iter().map(work).collect::<Vec<R>>();
                    // The system keeps the stack for another thread.
                    overwrite_stack();
                    results
                })
            })
            .collect();
        workers
            .into_iter()
            .flat_map(|worker| worker.join().expect("the work does not panic"))
            .collect()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const WORTH_A_THREAD: usize = 4;

    #[test]
    fn many_items_are_work_for_all_cores_and_few_for_one() {
        let cores = thread::available_parallelism().map_or(1, NonZero::get);
        let threads = |items| {
            let mut threads = map(&vec![(); items], WORTH_A_THREAD, |()| {
                thread::current().id()
            });
            threads.dedup();
            threads.len()
        };
        assert_eq!(threads(2 * WORTH_A_THREAD - 1), 1);
        assert_eq!(threads(2 * WORTH_A_THREAD), cores.min(2));
        assert_eq!(threads(2 * WORTH_A_THREAD * cores), cores);
    }

    #[test]
    fn results_are_in_the_order_of_the_items() {
        let items: Vec<usize> = (0..1000).collect();
        let expected: Vec<usize> = items.iter().map(|item| item * 2).collect();
        assert_eq!(map(&items, WORTH_A_THREAD, |item| item * 2), expected);
        assert_eq!(map(&[1], WORTH_A_THREAD, |item| item * 2), [2]);
        assert!(map(&[], WORTH_A_THREAD, |item: &u8| *item).is_empty());
    }
}
