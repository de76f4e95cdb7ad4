//! A door in front of the store that can be frozen, as a network can.

use std::sync::Arc;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    Open,
    /// Connections stay, and nothing passes.
    Frozen,
    /// Connections break.
    Closed,
}

pub(super) struct Door {
    address: String,
    way: Arc<watch::Sender<Way>>,
}

impl Door {
    pub(super) async fn open(store: &'static str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let way = Arc::new(watch::channel(Way::Open).0);
        let seen = way.subscribe();
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                if *seen.borrow() != Way::Closed {
                    let store = TcpStream::connect(store).await.unwrap();
                    let (client_reads, client_writes) = client.into_split();
                    let (store_reads, store_writes) = store.into_split();
                    tokio::spawn(pass(client_reads, store_writes, seen.clone()));
                    tokio::spawn(pass(store_reads, client_writes, seen.clone()));
                }
            }
        });
        Self { address, way }
    }

    pub(super) fn address(&self) -> &str {
        &self.address
    }

    pub(super) fn freeze(&self) {
        self.way.send_replace(Way::Frozen);
    }

    pub(super) fn thaw(&self) {
        self.way.send_replace(Way::Open);
    }

    pub(super) fn close(&self) {
        self.way.send_replace(Way::Closed);
    }
}

async fn pass(
    mut from: impl AsyncReadExt + Unpin,
    mut to: impl AsyncWriteExt + Unpin,
    mut way: watch::Receiver<Way>,
) {
    let mut buffer = [0; 4096];
    loop {
        let read = tokio::select! {
            read = from.read(&mut buffer) => read,
            closed = way.wait_for(|way| *way == Way::Closed) => { drop(closed); return }
        };
        let Ok(count @ 1..) = read else { return };
        let is_open = way.wait_for(|way| *way != Way::Frozen).await.is_ok_and(|way| *way == Way::Open);
        if !is_open || to.write_all(&buffer[..count]).await.is_err() {
            return;
        }
    }
}
