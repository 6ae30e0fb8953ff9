//! What ends all waiting for the terminal.

use std::sync::Arc;

use super::entry::Entry;
use super::keyboard::Console;
use super::queue::BoundedQueue;

/// Ends all waiting in [`Terminal::show`](super::Terminal::show), and the user's own editor. The signal handler uses it: the program may be
/// waiting there for a terminal or a pipe that stands still, and would not hear of the signal.
#[derive(Clone)]
pub(in crate::cmd) struct HurryHandle {
    queue: Arc<BoundedQueue<Entry>>,
    console: Option<Arc<Console>>,
}

impl HurryHandle {
    pub(super) fn new(queue: &Arc<BoundedQueue<Entry>>, console: Option<&Arc<Console>>) -> Self {
        Self {
            queue: Arc::clone(queue),
            console: console.map(Arc::clone),
        }
    }

    /// From now on the queue drops an entry that would have to wait.
    pub(in crate::cmd) fn hurry(&self) {
        self.queue.hurry();
        if let Some(console) = &self.console {
            console.close();
        }
    }
}
