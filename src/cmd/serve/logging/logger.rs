//! The relay's log. Its lines go through a bounded queue to one thread, which alone writes them to
//! standard error. So no thread that logs ever waits for whoever reads the log, be that a pager, a
//! terminal that Ctrl-S has stopped, or a full disk. Lines for which the queue has no room are
//! counted, and the log says how many they were.

use std::backtrace::{Backtrace, BacktraceStatus};
use std::collections::VecDeque;
use std::fmt::Arguments;
use std::io::{self, Write as _};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use jiff::Timestamp;
use log::{Level, LevelFilter, Metadata, Record};

use crate::cmd::lock::lock;
use crate::cmd::reason;

/// The target of the lines of `--stats`: they are logged whatever the level is.
pub(in crate::cmd::serve) const STATS: &str = "stats";

/// The most lines in the queue: of those that strangers and members can cause, what comes in ten
/// seconds or more.
const MAX_QUEUED: usize = 256;

/// How long the thread waits after a write that failed, before it tries again.
const RETRY_PAUSE: Duration = Duration::from_millis(100);

/// How long the end of the program waits for the last lines to be written.
const FLUSH_TIMEOUT: Duration = Duration::from_secs(1);

/// The running log. When it is dropped, it waits for the last lines for at most a second.
pub(in crate::cmd::serve) struct LogHandle(Arc<LogQueue>);

impl LogHandle {
    /// Starts the log: warnings, and as much more as `verbose` asks for, go to standard error, and
    /// panics too. Call it once.
    ///
    /// # Errors
    /// Where the system has no thread for it.
    pub(in crate::cmd::serve) fn start(verbose: u8) -> anyhow::Result<Self> {
        let level = match verbose {
            0 => LevelFilter::Warn,
            1 => LevelFilter::Info,
            _ => LevelFilter::Debug,
        };
        let queue = Arc::<LogQueue>::default();
        log::set_boxed_logger(Box::new(Logger {
            level,
            queue: Arc::clone(&queue),
        }))?;
        log::set_max_level(level.max(LevelFilter::Info));
        // The usual hook would wait for the lock of standard error, which the thread holds for as
        // long as nobody reads.
        std::panic::set_hook(Box::new(|panic| {
            let thread = thread::current();
            let name = thread.name().unwrap_or("without a name");
            let backtrace = Backtrace::capture();
            if backtrace.status() == BacktraceStatus::Captured {
                log::error!("thread {name} {panic}\n{backtrace}");
            } else {
                log::error!("thread {name} {panic}");
            }
        }));
        let writer = Arc::clone(&queue);
        thread::Builder::new()
            .name("log-writer".into())
            .spawn(move || writer.write_all())?;
        Ok(Self(queue))
    }
}

impl Drop for LogHandle {
    fn drop(&mut self) {
        let is_busy = |state: &mut LogQueueState| {
            state.is_writing || !state.waiting.is_empty() || state.lost > 0
        };
        let queue = &self.0;
        drop((queue.changed).wait_timeout_while(queue.lock(), FLUSH_TIMEOUT, is_busy));
    }
}

/// Decides which records are logged, and gives them their form.
struct Logger {
    level: LevelFilter,
    queue: Arc<LogQueue>,
}

impl log::Log for Logger {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        match metadata.target() {
            STATS => metadata.level() <= Level::Info,
            target => metadata.level() <= self.level && target.starts_with(env!("CARGO_PKG_NAME")),
        }
    }

    fn log(&self, record: &Record<'_>) {
        if self.enabled(record.metadata()) {
            self.queue.push(line(*record.args()));
        }
    }

    fn flush(&self) {}
}

fn line(text: Arguments<'_>) -> String {
    let time = Timestamp::now().strftime("%Y-%m-%dT%H:%M:%SZ");
    format!("{time} {text}\n")
}

/// The lines that wait to be written.
#[derive(Default)]
struct LogQueue {
    state: Mutex<LogQueueState>,
    changed: Condvar,
}

#[derive(Default)]
struct LogQueueState {
    waiting: VecDeque<String>,
    is_writing: bool,
    /// How many lines there was no room for since the last one that waits.
    lost: u64,
    /// Why the log could not be written then, if writing failed; `None` where nobody read it.
    lost_because: Option<String>,
    /// Why the last attempt to write failed, if it did.
    failure: Option<String>,
}

impl LogQueueState {
    /// The line that says how many lines were lost, if any were.
    fn take_lost(&mut self) -> Option<String> {
        let lost = std::mem::take(&mut self.lost);
        (lost > 0).then(|| match self.lost_because.take() {
            None => line(format_args!(
                "… {lost} lines of the log were lost, as nobody read it"
            )),
            Some(reason) => line(format_args!(
                "… {lost} lines of the log were lost, as it could not be written: {reason}"
            )),
        })
    }
}

impl LogQueue {
    /// Puts a line into the queue, or counts it as lost. Never waits for a reader.
    fn push(&self, line: String) {
        let mut state = self.lock();
        if state.waiting.len() >= MAX_QUEUED {
            state.lost += 1;
            let reason = state.failure.clone();
            state.lost_because = reason;
            return;
        }
        let lost = state.take_lost();
        state.waiting.extend(lost);
        state.waiting.push_back(line);
        self.changed.notify_all();
    }

    /// Takes the next line, and waits until there is one.
    fn pop(&self) -> String {
        let mut state = self.lock();
        state.is_writing = false;
        self.changed.notify_all();
        loop {
            let next = state.waiting.pop_front();
            if let Some(next) = next.or_else(|| state.take_lost()) {
                state.is_writing = true;
                return next;
            }
            let woken = self.changed.wait(state);
            state = woken.unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// Writes all lines, for as long as the program lives. A line that could not be written is
    /// tried again, so that none comes out in part; meanwhile others gather in the queue.
    fn write_all(&self) {
        loop {
            let line = self.pop();
            let mut rest = line.as_bytes();
            while !rest.is_empty() {
                match io::stderr().write(rest) {
                    Ok(written) => {
                        rest = rest.get(written..).unwrap_or_default();
                        self.lock().failure = None;
                    }
                    Err(error) => {
                        self.lock().failure = Some(reason(&error));
                        thread::sleep(RETRY_PAUSE);
                    }
                }
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, LogQueueState> {
        lock(&self.state)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A line without its time.
    fn said(line: &str) -> &str {
        line.split_once(' ').unwrap().1
    }

    #[test]
    fn what_does_not_fit_is_counted_and_said_where_it_is_missing() {
        let queue = LogQueue::default();
        for number in 0..MAX_QUEUED + 312 {
            queue.push(line(format_args!("{number}")));
        }
        assert_eq!(said(&queue.pop()), "0\n");
        assert_eq!(said(&queue.pop()), "1\n");
        queue.push(line(format_args!("later")));
        for number in 2..MAX_QUEUED {
            assert_eq!(said(&queue.pop()), format!("{number}\n"));
        }
        let lost = "… 312 lines of the log were lost, as nobody read it\n";
        assert_eq!(said(&queue.pop()), lost);
        assert_eq!(said(&queue.pop()), "later\n");
        assert_eq!(queue.lock().lost, 0);
    }

    #[test]
    fn what_was_lost_is_said_although_nothing_comes_after_it() {
        let queue = LogQueue::default();
        queue.lock().failure = Some("no space left on device".into());
        for _ in 0..=MAX_QUEUED {
            queue.push(line(format_args!("one")));
        }
        queue.lock().failure = None;
        for _ in 0..MAX_QUEUED {
            assert_eq!(said(&queue.pop()), "one\n");
        }
        let lost =
            "… 1 lines of the log were lost, as it could not be written: no space left on device\n";
        assert_eq!(said(&queue.pop()), lost);
    }
}
