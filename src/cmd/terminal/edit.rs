//! A change of the line that rustyline has no key for. It goes from the key that wants it to the
//! editor's completer, the one place that can put both text and cursor where they should be.

use std::ops::Range;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Text for a part of the line; the cursor goes behind it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Edit {
    pub(super) range: Range<usize>,
    pub(super) text: String,
}

/// Where the latest edit waits to be made.
#[derive(Clone, Default)]
pub(super) struct Pending(Arc<Mutex<Edit>>);

impl Pending {
    pub(super) fn put(&self, edit: Edit) {
        *self.lock() = edit;
    }

    pub(super) fn take(&self) -> Edit {
        std::mem::take(&mut self.lock())
    }

    fn lock(&self) -> MutexGuard<'_, Edit> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
