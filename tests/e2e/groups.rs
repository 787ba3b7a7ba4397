//! Consumer groups of the embedded broker, as other people's clients see them.

use tests::simulator::{Launch, Simulator};

async fn start() -> Simulator {
    Launch::default().start(&[]).await
}

#[cfg(feature = "kcat")]
mod kcat {
    use std::process::Stdio;

    use tests::kcat::kcat;
    use tests::wait::within;
    use tokio::io::AsyncReadExt;
    use tokio::process::{Child, Command};

    use super::start;

    /// From the beginning, as a group, to the end.
    const GROUP: [&str; 6] = [
        "-G",
        "g",
        "-X",
        "auto.offset.reset=earliest",
        "-e",
        "ws.messages",
    ];

    async fn write(brokers: &str, lines: &str) {
        kcat(brokers, &["-t", "ws.messages", "-P", "-K", "\t"], lines).await;
    }

    fn sorted(output: &str) -> Vec<String> {
        let mut lines: Vec<String> = output.lines().map(str::to_owned).collect();
        lines.sort_unstable();
        lines
    }

    #[tokio::test]
    async fn a_group_goes_on_where_it_stopped() {
        let simulator = start().await;
        write(&simulator.kafka, "a\t1\nb\t2\nc\t3\nd\t4\n").await;
        let first = kcat(&simulator.kafka, &GROUP, "").await;
        assert_eq!(sorted(&first), ["1", "2", "3", "4"]);
        assert_eq!(kcat(&simulator.kafka, &GROUP, "").await, "");
        write(&simulator.kafka, "a\t5\n").await;
        assert_eq!(kcat(&simulator.kafka, &GROUP, "").await, "5\n");
        simulator.stop().await;
    }

    /// A consumer that says on standard error what is assigned to it.
    fn consumer(brokers: &str) -> Child {
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

    /// Waits until a consumer is told to read, with so many partitions at its last word.
    async fn assigned(consumer: &mut Child, partitions: usize) {
        let stderr = consumer.stderr.as_mut().unwrap();
        let mut said = String::new();
        within("an assignment", async {
            loop {
                let last = said.lines().rev().find(|line| line.contains("rebalanced"));
                let count = last.and_then(|line| line.split_once("): assigned: "));
                if count.is_some_and(|(_, it)| it.matches('[').count() == partitions) {
                    return;
                }
                let mut more = [0; 1024];
                let length = stderr.read(&mut more).await.unwrap();
                assert!(length > 0, "kcat ended: {said}");
                said += &String::from_utf8_lossy(&more[..length]);
            }
        })
        .await;
    }

    #[tokio::test]
    async fn two_consumers_share_the_partitions_and_one_takes_over() {
        let simulator = start().await;
        let mut one = consumer(&simulator.kafka);
        assigned(&mut one, 3).await;
        let mut two = consumer(&simulator.kafka);
        // Of three partitions one gets two; who that is depends on their ids.
        let shares = async {
            tokio::select! {
                () = assigned(&mut one, 2) => (2, 1),
                () = assigned(&mut two, 2) => (1, 2),
            }
        };
        let (_, second) = within("shares", shares).await;
        let (gone, left) = if second == 1 {
            (&mut two, &mut one)
        } else {
            (&mut one, &mut two)
        };
        // Killed, not ended: its session has to.
        gone.kill().await.unwrap();
        assigned(left, 3).await;
        simulator.stop().await;
    }
}

#[cfg(feature = "kafka")]
mod java {
    use tests::producer::Producer;
    use tests::real_kafka::run_java;

    use super::start;

    const CONSUMER: &str = "org.apache.kafka.tools.consumer.ConsoleConsumer";
    const GROUPS: &str = "org.apache.kafka.tools.consumer.group.ConsumerGroupCommand";

    #[tokio::test]
    async fn kafkas_own_tools_read_as_a_group_and_show_its_lag() {
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
