//! The least that a function with Kafka can be: connected with one partition, it asks Lambda for events.

use lambda_runtime::{Error, LambdaEvent, run, service_fn};
use rskafka::client::{ClientBuilder, partition::UnknownTopicHandling};
use serde_json::Value;

#[expect(
    clippy::disallowed_methods,
    reason = "it is this program's one variable"
)]
#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let brokers = std::env::var("KAFKA_BROKERS")?;
    let client = ClientBuilder::new(vec![brokers]).build().await?;
    let partition = client.partition_client("ws.messages", 0, UnknownTopicHandling::Error);
    let partition = &partition.await?;
    run(service_fn(async |event: LambdaEvent<Value>| {
        // Held as long as the function lives.
        let _ = partition.partition();
        Ok::<_, Error>(event.payload)
    }))
    .await
}
