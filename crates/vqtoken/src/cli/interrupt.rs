//! Ctrl-C and the system's request to end: the first asks for a clean end, the second is obeyed at once.

#[cfg(unix)]
use std::future::poll_fn;
use std::io;
#[cfg(unix)]
use std::task::Poll;
use std::thread;

use anyhow::Context;
use vqtoken_video::Cancellation;

/// The exit code of a process that was interrupted.
const INTERRUPTED: i32 = 130;

/// Sets the flag when the user or the system wants an end.
pub(crate) fn on_interrupt(flag: Cancellation) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_io()
        .build()
        .context("signals cannot be waited for")?;
    thread::Builder::new()
        .name("signals".into())
        // Without signals the process ends as it would have without this.
        .spawn(move || drop(runtime.block_on(obey(&flag))))
        .context("signals cannot be waited for")?;
    Ok(())
}

/// A flag that the user or the system sets when an end is wanted. Where signals cannot be waited for, they end the process at once.
pub(crate) fn cancellation() -> Cancellation {
    let flag = Cancellation::default();
    // Ending at once is safe, too: what is half written is removed when the archive is opened next.
    drop(on_interrupt(flag.clone()));
    flag
}

#[cfg(unix)]
async fn obey(flag: &Cancellation) -> io::Result<()> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    loop {
        poll_fn(|context| {
            let is_ready = interrupt.poll_recv(context).is_ready() | terminate.poll_recv(context).is_ready();
            if is_ready { Poll::Ready(()) } else { Poll::Pending }
        })
        .await;
        end(flag);
    }
}

#[cfg(not(unix))]
async fn obey(flag: &Cancellation) -> io::Result<()> {
    loop {
        tokio::signal::ctrl_c().await?;
        end(flag);
    }
}

fn end(flag: &Cancellation) {
    if flag.is_cancelled() {
        std::process::exit(INTERRUPTED);
    }
    flag.cancel();
}
