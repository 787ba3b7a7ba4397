//! What waits to be written to a client: a queue that is bounded in bytes, so that one who does not read costs
//! little, and nothing while there is nothing to write.

use std::collections::VecDeque;

use parking_lot::Mutex;
use tokio::sync::{Notify, Semaphore, TryAcquireError};
use tokio_tungstenite::tungstenite::Utf8Bytes;

use crate::limits::{OUTBOUND_BYTES_MAX, OUTBOUND_MESSAGE_BYTES};

/// A connection's messages to its client, in order.
#[derive(Debug)]
pub(crate) struct Outbound {
    queue: Mutex<VecDeque<Utf8Bytes>>,
    arrived: Notify,
    /// In bytes; what is taken for a message is given back once it is written.
    room: Semaphore,
}

/// Why nothing can be queued for a client.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum PostError {
    /// The client reads too slowly.
    Full,
    /// The connection has closed.
    Gone,
}

impl Outbound {
    pub(crate) fn new() -> Self {
        Self {
            queue: Mutex::default(),
            arrived: Notify::new(),
            room: Semaphore::new(OUTBOUND_BYTES_MAX),
        }
    }

    /// Queues a message if there is room.
    ///
    /// # Errors
    /// The client reads too slowly, or has gone.
    pub(crate) fn post(&self, text: Utf8Bytes) -> Result<(), PostError> {
        match self.room.try_acquire_many(cost(&text)) {
            Ok(room) => room.forget(),
            Err(TryAcquireError::NoPermits) => return Err(PostError::Full),
            Err(TryAcquireError::Closed) => return Err(PostError::Gone),
        }
        self.push(text);
        Ok(())
    }

    /// Queues a message as soon as there is room; for a client that has gone, never.
    pub(crate) async fn reply(&self, text: Utf8Bytes) {
        if let Ok(room) = self.room.acquire_many(cost(&text)).await {
            room.forget();
            self.push(text);
        }
    }

    /// Takes no more messages; those that are queued can still be taken off.
    pub(crate) fn close(&self) {
        self.room.close();
    }

    /// Waits for the next message, and takes it off. Its room is free only once it is [`Self::written`].
    pub(crate) async fn next(&self) -> Utf8Bytes {
        loop {
            if let Some(text) = self.try_next() {
                return text;
            }
            self.arrived.notified().await;
        }
    }

    /// Takes the next message off, where there is one.
    pub(crate) fn try_next(&self) -> Option<Utf8Bytes> {
        let mut queue = self.queue.lock();
        let text = queue.pop_front();
        if queue.is_empty() {
            // Whoever was sent a lot once does not hold memory for ever.
            *queue = VecDeque::new();
        }
        text
    }

    /// Takes note that a message of so many bytes has been written.
    pub(crate) fn written(&self, bytes: u32) {
        self.room.add_permits(bytes as usize);
    }

    fn push(&self, text: Utf8Bytes) {
        self.queue.lock().push_back(text);
        self.arrived.notify_one();
    }
}

/// The room that a message takes.
pub(crate) fn cost(text: &str) -> u32 {
    let bytes = text.len().saturating_add(OUTBOUND_MESSAGE_BYTES);
    // What is longer than the whole queue waits until it is alone in it.
    u32::try_from(bytes.min(OUTBOUND_BYTES_MAX)).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limits::MESSAGE_BYTES_MAX;

    fn text(bytes: usize) -> Utf8Bytes {
        "x".repeat(bytes).into()
    }

    const LARGEST: usize = MESSAGE_BYTES_MAX;

    #[tokio::test]
    async fn messages_come_out_in_order() {
        let outbound = Outbound::new();
        assert_eq!(outbound.try_next(), None);
        for text in ["a", "b"] {
            outbound.post(text.into()).unwrap();
        }
        outbound.reply("c".into()).await;
        for text in ["a", "b", "c"] {
            assert_eq!(outbound.next().await, text);
        }
        let (text, ()) = tokio::join!(outbound.next(), outbound.reply("d".into()));
        assert_eq!(text, "d");
    }

    #[test]
    fn room_is_counted_in_bytes_until_they_are_written() {
        let outbound = Outbound::new();
        let fit = OUTBOUND_BYTES_MAX / (LARGEST + OUTBOUND_MESSAGE_BYTES);
        assert!(fit >= 1, "the largest message must fit");
        for _ in 0..fit {
            assert_eq!(outbound.post(text(LARGEST)), Ok(()));
        }
        assert_eq!(outbound.post(text(LARGEST)), Err(PostError::Full));
        let taken = outbound.try_next().unwrap();
        assert_eq!(outbound.post(text(LARGEST)), Err(PostError::Full));
        outbound.written(cost(&taken));
        assert_eq!(outbound.post(text(LARGEST)), Ok(()));
    }

    #[test]
    fn empty_messages_fill_it_too() {
        let outbound = Outbound::new();
        let count = (0..OUTBOUND_BYTES_MAX)
            .take_while(|_| outbound.post(text(0)).is_ok())
            .count();
        assert_eq!(count, OUTBOUND_BYTES_MAX / OUTBOUND_MESSAGE_BYTES);
    }

    #[tokio::test]
    async fn what_is_closed_takes_nothing_and_keeps_nobody_waiting() {
        let outbound = Outbound::new();
        outbound.post(text(LARGEST)).unwrap();
        let waiting = async { outbound.reply(text(OUTBOUND_BYTES_MAX)).await };
        tokio::join!(waiting, async { outbound.close() });
        assert_eq!(outbound.post(text(1)), Err(PostError::Gone));
        assert_eq!(outbound.try_next(), Some(text(LARGEST)));
        assert_eq!(outbound.try_next(), None);
    }
}
