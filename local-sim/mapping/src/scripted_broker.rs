//! A broker for tests, which answers what a test makes up.

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

use super::cluster::{Cluster, text};

/// A broker that runs until it is dropped.
pub(super) struct ScriptedBroker {
    address: SocketAddr,
    _serving: JoinSet<()>,
}

/// What a client asks, as far as an answer depends on it.
pub(super) struct Asked {
    pub(super) api: ApiKey,
    version: i16,
    /// Who is asked.
    pub(super) broker: SocketAddr,
}

type Script = dyn Fn(&Asked) -> Bytes + Send + Sync;

impl ScriptedBroker {
    /// Starts a broker that answers each request with what `script` makes of it.
    pub(super) async fn start(script: impl Fn(&Asked) -> Bytes + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let script: Arc<Script> = Arc::new(script);
        let mut serving = JoinSet::new();
        serving.spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                let script = Arc::clone(&script);
                // It ends when the client hangs up.
                connections.spawn(async move { serve(stream, address, &*script).await.err() });
            }
        });
        Self {
            address,
            _serving: serving,
        }
    }

    /// The cluster that consists of this broker.
    pub(super) fn cluster(&self) -> Cluster {
        Cluster::new(Settings {
            brokers: vec![self.address.to_string()],
            security: Security::default(),
        })
    }
}

impl Asked {
    /// An answer as it is sent.
    pub(super) fn answer(&self, answer: &impl Encodable) -> Bytes {
        let mut bytes = BytesMut::new();
        answer.encode(&mut bytes, self.version).unwrap();
        bytes.freeze()
    }

    /// An answer that tells of these topics: each a name, a number of partitions that this broker leads, and an error.
    pub(super) fn metadata(&self, topics: &[(&'static str, i32, i16)]) -> Bytes {
        let broker = MetadataResponseBroker::default()
            .with_node_id(BrokerId(1))
            .with_host(text(&self.broker.ip().to_string()))
            .with_port(self.broker.port().into());
        let partition = |index| {
            MetadataResponsePartition::default()
                .with_partition_index(index)
                .with_leader_id(BrokerId(1))
        };
        let topics = topics.iter().map(|(name, partitions, error)| {
            MetadataResponseTopic::default()
                .with_name(Some(TopicName(text(name))))
                .with_error_code(*error)
                .with_partitions((0..*partitions).map(partition).collect())
        });
        self.answer(
            &MetadataResponse::default()
                .with_brokers(vec![broker])
                .with_topics(topics.collect()),
        )
    }
}

async fn serve(mut stream: TcpStream, broker: SocketAddr, script: &Script) -> io::Result<()> {
    loop {
        let length = stream.read_u32().await?;
        let mut request = vec![0; length.try_into().unwrap()];
        stream.read_exact(&mut request).await?;
        let mut header = &request[..];
        let asked = Asked {
            api: ApiKey::try_from(header.get_i16()).unwrap(),
            version: header.get_i16(),
            broker,
        };
        let body = script(&asked);
        let mut answer = BytesMut::new();
        answer.put_u32((size_of::<i32>() + body.len()).try_into().unwrap());
        answer.put_i32(header.get_i32());
        answer.put(body);
        stream.write_all(&answer).await?;
    }
}
