//! The threads on which both stages do what can be done side by side.

use anyhow::{Context as _, Result};
use rayon::iter::{IndexedParallelIterator as _, IntoParallelIterator as _, ParallelIterator as _};
use rayon::{ThreadPool, ThreadPoolBuilder};

/// Threads that stay, since memory that a thread leaves behind is of little use to the next one.
pub struct Pool(ThreadPool);

/// So many threads as are asked for; of 0 as many as there are processors.
pub fn count(asked: usize) -> usize {
    match asked {
        0 => std::thread::available_parallelism().map_or(1, usize::from),
        some => some,
    }
}

impl Pool {
    /// One with so many threads, as [`count`] says.
    pub fn start(threads: usize) -> Result<Pool> {
        let named = ThreadPoolBuilder::new().thread_name(|number| format!("pool-{number}"));
        let pool = named.num_threads(count(threads)).build();
        Ok(Pool(pool.context("threads cannot be started")?))
    }

    /// How many things are done at once.
    pub fn threads(&self) -> usize {
        self.0.current_num_threads()
    }

    /// Does this with each of the items, side by side. One alone is done by who asks.
    pub fn each<T: Send>(
        &self,
        mut items: Vec<T>,
        work: impl Fn(T) -> Result<()> + Send + Sync,
    ) -> Result<()> {
        match (items.pop(), items.is_empty()) {
            (None, _) => Ok(()),
            (Some(only), true) => work(only),
            (Some(last), false) => {
                items.push(last);
                let side_by_side = items.into_par_iter().with_max_len(1);
                self.0.install(|| side_by_side.try_for_each(work))
            }
        }
    }
}
