//! A broker for tests whose responses are scripted.

use std::{net::SocketAddr, sync::Arc};

use bytes::{Buf as _, BufMut as _, Bytes, BytesMut};
use kafka_protocol::{
    messages::{
        ApiKey, BrokerId, MetadataResponse, TopicName,
        metadata_response::{
            MetadataResponseBroker, MetadataResponsePartition, MetadataResponseTopic,
        },
    },
    protocol::Encodable,
};
use sluice_kafka::{Security, Settings};
use tokio::{
    io::{self, AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    task::JoinSet,
};

use super::cluster::{Cluster, str_bytes};

/// A scripted broker that runs until it is dropped.
pub(super) struct ScriptedBroker {
    address: SocketAddr,
    _serving: JoinSet<()>,
}

/// The part of a request that a response depends on.
pub(super) struct ScriptRequest {
    pub(super) api: ApiKey,
    version: i16,
    /// The address of the broker.
    pub(super) broker: SocketAddr,
}

type Script = dyn Fn(&ScriptRequest) -> Bytes + Send + Sync;

impl ScriptedBroker {
    /// Starts a broker that responds to each request with the result of `script`.
    pub(super) async fn start(
        script: impl Fn(&ScriptRequest) -> Bytes + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let script: Arc<Script> = Arc::new(script);
        let mut serving = JoinSet::new();
        serving.spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                let script = Arc::clone(&script);
                // Ends when the client closes the connection.
                connections.spawn(async move { serve(stream, address, &*script).await.err() });
            }
        });
        Self {
            address,
            _serving: serving,
        }
    }

    /// A cluster with only this broker.
    pub(super) fn cluster(&self) -> Cluster {
        Cluster::new(Settings {
            brokers: vec![self.address.to_string()],
            security: Security::default(),
        })
    }
}

impl ScriptRequest {
    /// Encodes a response.
    pub(super) fn respond(&self, response: &impl Encodable) -> Bytes {
        let mut bytes = BytesMut::new();
        response.encode(&mut bytes, self.version).unwrap();
        bytes.freeze()
    }

    /// A metadata response with these topics, whose partitions this broker leads.
    ///
    /// Each topic is a name, a number of partitions, and an error code.
    pub(super) fn metadata(&self, topics: &[(&'static str, i32, i16)]) -> Bytes {
        let broker = MetadataResponseBroker::default()
            .with_node_id(BrokerId(1))
            .with_host(str_bytes(&self.broker.ip().to_string()))
            .with_port(self.broker.port().into());
        let partition = |index| {
            MetadataResponsePartition::default()
                .with_partition_index(index)
                .with_leader_id(BrokerId(1))
        };
        let topics = topics.iter().map(|(name, partitions, error)| {
            MetadataResponseTopic::default()
                .with_name(Some(TopicName(str_bytes(name))))
                .with_error_code(*error)
                .with_partitions((0..*partitions).map(partition).collect())
        });
        self.respond(
            &MetadataResponse::default()
                .with_brokers(vec![broker])
                .with_topics(topics.collect()),
        )
    }
}

async fn serve(mut stream: TcpStream, broker: SocketAddr, script: &Script) -> io::Result<()> {
    loop {
        let length = stream.read_u32().await?;
        let mut frame = vec![0; length.try_into().unwrap()];
        stream.read_exact(&mut frame).await?;
        let mut header = &frame[..];
        let request = ScriptRequest {
            api: ApiKey::try_from(header.get_i16()).unwrap(),
            version: header.get_i16(),
            broker,
        };
        let body = script(&request);
        let mut response = BytesMut::new();
        response.put_u32((size_of::<i32>() + body.len()).try_into().unwrap());
        response.put_i32(header.get_i32());
        response.put(body);
        stream.write_all(&response).await?;
    }
}
