//! The threads that verify and open messages: as many as there are cores. The main thread hands out the jobs
//! that its session has, and gets what they find as one of the things that happen.

use std::io;
use std::num::NonZero;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::thread;

use crate::cipher::keys::overwrite_stack;
use crate::cmd::lock::lock;
use crate::room::session::{Done, Job};

/// How many there are.
pub(super) fn cores() -> usize {
    thread::available_parallelism().map_or(1, NonZero::get)
}

/// The threads. They end when this is dropped.
pub(super) struct Openers {
    jobs: Sender<Job>,
}

impl Openers {
    /// Starts them. `deliver` is called with what each job finds.
    pub(super) fn start(deliver: impl Fn(Done) + Send + Sync + 'static) -> io::Result<Self> {
        let (jobs, queue) = channel();
        let (queue, deliver) = (Arc::new(Mutex::new(queue)), Arc::new(deliver));
        for _ in 0..cores() {
            let (queue, deliver) = (Arc::clone(&queue), Arc::clone(&deliver));
            let work = move || {
                while let Some(job) = next(&queue) {
                    let done = job.run();
                    // The key may be destroyed before this thread works again.
                    overwrite_stack();
                    deliver(done);
                }
            };
            thread::Builder::new().name("opener".into()).spawn(work)?;
        }
        Ok(Self { jobs })
    }

    /// Hands jobs out, behind those that were handed out before.
    pub(super) fn hand_out(&self, jobs: Vec<Job>) {
        for job in jobs {
            // A job does not panic, so there are threads that take it.
            let _ = self.jobs.send(job);
        }
    }
}

/// Waits for the next job; `None` if there will be none.
fn next(queue: &Mutex<Receiver<Job>>) -> Option<Job> {
    let queue = lock(queue);
    queue.recv().ok()
}
