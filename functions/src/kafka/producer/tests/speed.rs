//! No value stalls, whatever its size.

use super::*;

/// A value that cannot be compressed.
fn noise(len: usize) -> Vec<u8> {
    let mut random = fastrand::Rng::with_seed(7);
    std::iter::repeat_with(|| random.u8(..)).take(len).collect()
}

/// A value that can.
fn text(len: usize) -> Vec<u8> {
    b"the same again; "
        .iter()
        .copied()
        .cycle()
        .take(len)
        .collect()
}

/// Each value's median time, in rounds of one record for each: what else the
/// machine does meets all of them alike.
async fn medians<const N: usize>(producer: &Producer, values: &[Vec<u8>; N]) -> [Duration; N] {
    let mut times = [[Duration::ZERO; ROUNDS]; N];
    for round in 0..ROUNDS {
        for (value, times) in values.iter().zip(&mut times) {
            let record = record("k", value);
            let started = Instant::now();
            let publishing = producer.publish(record, started + TIME);
            publishing.await.expect("stored");
            times[round] = started.elapsed();
        }
    }
    times.map(|mut times| {
        times.sort_unstable();
        times[ROUNDS / 2]
    })
}

const ROUNDS: usize = 101;

/// A value may take so many times as long as a small one, on a machine that does
/// something else besides; `tests/bench/sizes.rs` has the goal. With Nagle's algorithm
/// and delayed acknowledgements, what is written in two pieces (values over
/// 8 KiB) takes 40 ms and more, which is a hundred times as long.
const RATIO_MAX: f64 = 20.0;

/// Linux alone lets the receiver do without the delay.
#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_value_of_any_size_goes_through_without_a_stall() {
    const KIB: [usize; 6] = [4, 9, 16, 32, 60, 128];
    let broker = Broker::start(1, &[]).await;
    let (producer, _) = producer(&broker.address());
    publish(&producer, "k").await.expect("stored");

    for (kind, value) in [("noise", noise as fn(usize) -> _), ("text", text)] {
        let values = KIB.map(|kib| value(kib * 1024));
        let medians = medians(&producer, &values).await;
        for (kib, median) in KIB.iter().zip(medians) {
            let ratio = median.div_duration_f64(medians[0]);
            println!("{kib} KiB of {kind}: {median:?}, {ratio:.2} times as long as 4 KiB");
            assert!(ratio < RATIO_MAX, "{kib} KiB of {kind}: {ratio:.2}");
        }
    }
}
