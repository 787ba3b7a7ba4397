//! No value stalls, whatever its size.

use super::*;

/// A value that cannot be compressed.
fn noise(len: usize) -> Vec<u8> {
    let mut random = fastrand::Rng::with_seed(7);
    std::iter::repeat_with(|| random.u8(..)).take(len).collect()
}

/// The median time of a record of such a value.
async fn check(producer: &Producer, len: usize) -> Duration {
    const RECORDS: usize = 51;
    let value = noise(len);
    let mut times = Vec::new();
    for _ in 0..RECORDS {
        let record = record("k", &value);
        let started = Instant::now();
        producer
            .publish(record, started + TIME)
            .await
            .expect("stored");
        times.push(started.elapsed());
    }
    times.sort();
    times[RECORDS / 2]
}

/// With Nagle's algorithm and delayed acknowledgements, what is written in two
/// pieces (values over 8 KiB) takes 40 ms and more. Linux alone lets the receiver
/// do without the delay.
#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_value_of_any_size_goes_through_without_a_stall() {
    let broker = Broker::start(1, &[]).await;
    let (producer, _) = producer(&broker.address());
    publish(&producer, "k").await.expect("stored");

    for len in [4, 9, 16, 32, 60, 128].map(|kib| kib * 1024) {
        let median = check(&producer, len).await;
        println!("{len} bytes: {median:?}");
        assert!(
            median < Duration::from_millis(20),
            "{len} bytes: {median:?}"
        );
    }
}
