//! Consumer groups of the embedded broker, tested with kcat and Kafka's own tools.

use tests::simulator::{Launch, Simulator};

async fn start() -> Simulator {
    Launch::default().start(&[]).await
}

#[cfg(feature = "kcat")]
mod kcat {
    use std::process::Stdio;

    use tests::{kcat::kcat, wait::within};
    use tokio::{
        io::AsyncReadExt,
        process::{Child, Command},
    };

    use super::start;

    /// Arguments that read a topic as a group, from the committed offsets or the start.
    const GROUP: [&str; 6] = [
        "-G",
        "g",
        "-X",
        "auto.offset.reset=earliest",
        "-e",
        "ws.messages",
    ];

    async fn produce(brokers: &str, lines: &str) {
        kcat(brokers, &["-t", "ws.messages", "-P", "-K", "\t"], lines).await;
    }

    fn sorted(output: &str) -> Vec<String> {
        let mut lines: Vec<String> = output.lines().map(str::to_owned).collect();
        lines.sort_unstable();
        lines
    }

    #[tokio::test]
    async fn a_group_resumes_at_its_committed_offsets() {
        let simulator = start().await;
        produce(&simulator.kafka, "a\t1\nb\t2\nc\t3\nd\t4\n").await;
        let first = kcat(&simulator.kafka, &GROUP, "").await;
        assert_eq!(sorted(&first), ["1", "2", "3", "4"]);
        assert_eq!(kcat(&simulator.kafka, &GROUP, "").await, "");
        produce(&simulator.kafka, "a\t5\n").await;
        assert_eq!(kcat(&simulator.kafka, &GROUP, "").await, "5\n");
        simulator.stop().await;
    }

    /// Starts a consumer, which prints its assignments to standard error.
    fn start_consumer(brokers: &str) -> Child {
        Command::new("kcat")
            .args(["-b", brokers, "-X", "session.timeout.ms=6000"])
            .args(["-X", "heartbeat.interval.ms=500", "-G", "g", "ws.messages"])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .expect("kcat is installed")
    }

    /// Waits until the consumer's latest assignment has this many partitions.
    async fn assigned(consumer: &mut Child, partitions: usize) {
        let stderr = consumer.stderr.as_mut().unwrap();
        let mut output = String::new();
        within("the assignment", async {
            loop {
                let last = output
                    .lines()
                    .rev()
                    .find(|line| line.contains("rebalanced"));
                let count = last.and_then(|line| line.split_once("): assigned: "));
                if count.is_some_and(|(_, it)| it.matches('[').count() == partitions) {
                    return;
                }
                let mut more = [0; 1024];
                let length = stderr.read(&mut more).await.unwrap();
                assert!(length > 0, "kcat ended: {output}");
                output += &String::from_utf8_lossy(&more[..length]);
            }
        })
        .await;
    }

    #[tokio::test]
    async fn two_consumers_share_the_partitions_until_one_is_killed() {
        let simulator = start().await;
        let mut one = start_consumer(&simulator.kafka);
        assigned(&mut one, 3).await;
        let mut two = start_consumer(&simulator.kafka);
        // One consumer gets two of the three partitions; which one depends on the member ids.
        let shares = async {
            tokio::select! {
                () = assigned(&mut one, 2) => (2, 1),
                () = assigned(&mut two, 2) => (1, 2),
            }
        };
        let (_, second) = within("both consumers have partitions", shares).await;
        let (killed, remaining) = if second == 1 {
            (&mut two, &mut one)
        } else {
            (&mut one, &mut two)
        };
        // A killed consumer does not leave the group: its session has to time out.
        killed.kill().await.unwrap();
        assigned(remaining, 3).await;
        simulator.stop().await;
    }
}

#[cfg(feature = "kafka")]
mod java {
    use tests::{producer::Producer, real_kafka::run_java};

    use super::start;

    const CONSUMER: &str = "org.apache.kafka.tools.consumer.ConsoleConsumer";
    const GROUPS: &str = "org.apache.kafka.tools.consumer.group.ConsumerGroupCommand";

    #[tokio::test]
    async fn kafkas_tools_consume_as_a_group_show_its_lag_and_delete_it() {
        let simulator = start().await;
        let producer = Producer::connect(&simulator.kafka).await;
        for partition in 0..3 {
            producer.send("ws.messages", partition, "k", "v").await;
        }
        let brokers = ["--bootstrap-server", &simulator.kafka];
        let read = ["--topic", "ws.messages", "--group", "g", "--from-beginning"];
        let end = ["--max-messages", "3", "--timeout-ms", "30000"];
        let consumed = run_java(&[&[CONSUMER], &brokers[..], &read, &end].concat()).await;
        assert_eq!(consumed.matches("v\n").count(), 3, "{consumed}");
        producer.send("ws.messages", 1, "k", "v").await;

        let ask = async |arguments: &[&str]| {
            run_java(&[&[GROUPS], &brokers[..], arguments].concat()).await
        };
        assert!(ask(&["--list"]).await.lines().any(|line| line == "g"));
        let described = ask(&["--describe", "--group", "g"]).await;
        let lags = described.lines().filter(|line| line.starts_with("g "));
        let mut lags: Vec<_> = lags.map(|line| line.split_whitespace().nth(5)).collect();
        lags.sort_unstable();
        assert_eq!(lags, [Some("0"), Some("0"), Some("1")], "{described}");
        let deleted = ask(&["--delete", "--group", "g"]).await;
        assert!(deleted.contains("successful"), "{deleted}");
        simulator.stop().await;
    }
}
