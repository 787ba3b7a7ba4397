//! The queue of messages to a client.
//!
//! It is bounded in bytes, so that a client that does not read costs little memory. An empty queue
//! allocates nothing.

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
    /// One permit per free byte. The permits of a message are returned once it is written.
    room: Semaphore,
}

/// Why a message cannot be queued.
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
    /// The client reads too slowly, or the connection has closed.
    pub(crate) fn post(&self, text: Utf8Bytes) -> Result<(), PostError> {
        match self.room.try_acquire_many(cost(&text)) {
            Ok(room) => room.forget(),
            Err(TryAcquireError::NoPermits) => return Err(PostError::Full),
            Err(TryAcquireError::Closed) => return Err(PostError::Gone),
        }
        self.push(text);
        Ok(())
    }

    /// Waits for room and queues a message. Drops the message if the connection has closed.
    pub(crate) async fn reply(&self, text: Utf8Bytes) {
        if let Ok(room) = self.room.acquire_many(cost(&text)).await {
            room.forget();
            self.push(text);
        }
    }

    /// Rejects further messages. Queued messages can still be taken.
    pub(crate) fn close(&self) {
        self.room.close();
    }

    /// Waits for the next message and removes it. Its room is freed by [`Self::written`].
    pub(crate) async fn next(&self) -> Utf8Bytes {
        loop {
            if let Some(text) = self.try_next() {
                return text;
            }
            self.arrived.notified().await;
        }
    }

    /// Removes the next message, if there is one.
    pub(crate) fn try_next(&self) -> Option<Utf8Bytes> {
        let mut queue = self.queue.lock();
        let text = queue.pop_front();
        if queue.is_empty() {
            // Free the memory that a burst of messages has allocated.
            *queue = VecDeque::new();
        }
        text
    }

    /// Frees the room of a written message, as returned by [`cost`].
    pub(crate) fn written(&self, bytes: u32) {
        self.room.add_permits(bytes as usize);
    }

    fn push(&self, text: Utf8Bytes) {
        self.queue.lock().push_back(text);
        self.arrived.notify_one();
    }
}

/// The room that a message needs in the queue.
pub(crate) fn cost(text: &str) -> u32 {
    let bytes = text.len().saturating_add(OUTBOUND_MESSAGE_BYTES);
    // A message larger than the queue waits until the queue is empty.
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
    async fn messages_are_delivered_in_order() {
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
    fn a_message_occupies_room_until_it_is_written() {
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
    fn empty_messages_fill_the_queue_as_well() {
        let outbound = Outbound::new();
        let count = (0..OUTBOUND_BYTES_MAX)
            .take_while(|_| outbound.post(text(0)).is_ok())
            .count();
        assert_eq!(count, OUTBOUND_BYTES_MAX / OUTBOUND_MESSAGE_BYTES);
    }

    #[tokio::test]
    async fn closing_the_queue_rejects_messages_and_wakes_waiting_senders() {
        let outbound = Outbound::new();
        outbound.post(text(LARGEST)).unwrap();
        let waiting = async { outbound.reply(text(OUTBOUND_BYTES_MAX)).await };
        tokio::join!(waiting, async { outbound.close() });
        assert_eq!(outbound.post(text(1)), Err(PostError::Gone));
        assert_eq!(outbound.try_next(), Some(text(LARGEST)));
        assert_eq!(outbound.try_next(), None);
    }
}
