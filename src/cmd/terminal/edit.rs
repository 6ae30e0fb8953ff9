//! A change of the line for which rustyline has no command. The handler of a key leaves it here, and
//! the editor's completer makes it: only a completer can set both the text and the cursor.

use std::ops::Range;
use std::sync::{Arc, Mutex, MutexGuard};

use crate::cmd::lock::lock;

/// Text that replaces a part of the line, whose range is in bytes. The cursor goes behind the text.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Edit {
    pub(super) range: Range<usize>,
    pub(super) text: String,
}

/// The latest edit that a key has asked for, until the completer makes it.
#[derive(Clone, Default)]
pub(super) struct PendingEdit(Arc<Mutex<Edit>>);

impl PendingEdit {
    pub(super) fn put(&self, edit: Edit) {
        *self.lock() = edit;
    }

    pub(super) fn take(&self) -> Edit {
        std::mem::take(&mut self.lock())
    }

    fn lock(&self) -> MutexGuard<'_, Edit> {
        lock(&self.0)
    }
}
