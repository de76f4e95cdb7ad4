//! Work of extensions beside the data path, which may keep its thread.

use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::runtime::{Handle, RuntimeFlavor};

/// A future whose polls may keep their thread: another one takes the thread's place meanwhile, so that what else runs
/// beside the data path goes on.
pub fn aside<F: Future + Send>(future: F) -> impl Future<Output = F::Output> + Send {
    Aside(Box::pin(future))
}

struct Aside<F>(Pin<Box<F>>);

impl<F: Future> Future for Aside<F> {
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        let future = &mut self.0;
        match Handle::try_current().map(|runtime| runtime.runtime_flavor()) {
            Ok(RuntimeFlavor::MultiThread) => tokio::task::block_in_place(|| future.as_mut().poll(cx)),
            _ => future.as_mut().poll(cx),
        }
    }
}
