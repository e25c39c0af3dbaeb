//! Ctrl-C, for commands that end well when they are asked to.

use anyhow::{Context as _, Result};
use tokio::signal::unix::{SignalKind, signal};

/// What a shell says of a process that Ctrl-C ended.
pub const EXIT_CODE: u8 = 130;

/// Calls `ask` on the first Ctrl-C or SIGTERM, from a thread of its own; the second ends the
/// process at once.
///
/// # Errors
///
/// The system does not give the signals.
pub fn on_first(ask: impl FnOnce() + Send + 'static) -> Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_io()
        .build()
        .context("signals cannot be waited for")?;
    let entered = runtime.enter();
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    drop(entered);
    let wait = move || {
        let mut next = || {
            runtime.block_on(async {
                tokio::select! {
                    _ = interrupt.recv() => (),
                    _ = terminate.recv() => (),
                }
            });
        };
        next();
        ask();
        next();
        std::process::exit(i32::from(EXIT_CODE));
    };
    let thread = std::thread::Builder::new().name("interrupt".to_owned());
    thread
        .spawn(wait)
        .map(|_| ())
        .context("no thread to wait for signals")
}
