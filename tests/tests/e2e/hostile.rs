//! Strangers at the doors of a node: what they send is garbage or too much, and the node goes on.

use std::{
    io::{Read, Write},
    net::TcpStream,
    time::Duration,
};
use touchstone_client::Chain;
use touchstone_tests::{
    answers::ask,
    network::Network,
    wait::{until, until_true},
};

/// Connections that a node's JSON-RPC server serves at the same time, unless told otherwise.
const RPC_CONNECTIONS: usize = 100;

/// Opens a WebSocket and returns the status that the server answers with.
fn handshake(stream: &mut TcpStream, host: &str) -> String {
    let request = format!(
        "GET / HTTP/1.1\r\nHost: {host}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
    );
    let mut answer = [0; 64];
    let read = stream
        .write_all(request.as_bytes())
        .and_then(|()| stream.read(&mut answer));
    let answer = String::from_utf8_lossy(&answer[..read.unwrap_or_default()]).into_owned();
    answer.split(' ').nth(1).unwrap_or_default().to_owned()
}

#[tokio::test]
async fn garbage_at_the_p2p_port_and_too_many_clients_do_not_stop_a_node() {
    let mut network = Network::local("hostile").await;
    let alice = network.chain(0).await;
    let before = alice.finalized_number().await.unwrap();

    // Bytes that no peer sends: none, noise, a protocol of another world, a handshake that breaks off, a length without end.
    let address = network.nodes[0].listen_address();
    let port = address.rsplit('/').next().unwrap();
    let noise: Vec<u8> = (0..1_000_000u32)
        .map(|n| (n.wrapping_mul(2_654_435_761) >> 24) as u8)
        .collect();
    let garbage: [&[u8]; 5] = [
        b"",
        &noise,
        b"GET / HTTP/1.1\r\n\r\n",
        b"\x13/multistream/1.0.0\n\x07/noise\n\xff\xff",
        &[0xff; 4096],
    ];
    let mut peers = Vec::new();
    for bytes in garbage.iter().cycle().take(200) {
        let mut stream = TcpStream::connect(format!("127.0.0.1:{port}")).unwrap();
        stream
            .set_write_timeout(Some(Duration::from_secs(1)))
            .unwrap();
        // The node may hang up before everything is written.
        let _ = stream.write_all(bytes);
        peers.push(stream);
    }

    // More clients than the node serves: those beyond the limit are turned away, the others keep their connection.
    let url = network.nodes[0].url();
    let host = url.trim_start_matches("ws://");
    let (mut clients, mut served, mut refused) = (Vec::new(), 0, 0);
    for _ in 0..3 * RPC_CONNECTIONS {
        let mut client = TcpStream::connect(host).unwrap();
        client
            .set_read_timeout(Some(Duration::from_secs(5)))
            .unwrap();
        match handshake(&mut client, host).as_str() {
            "101" => served += 1,
            _ => refused += 1,
        }
        clients.push(client);
    }
    assert!(
        served <= RPC_CONNECTIONS,
        "{served} are served at the same time"
    );
    assert!(
        served > RPC_CONNECTIONS / 2 && refused >= 2 * RPC_CONNECTIONS,
        "{served}, {refused}"
    );
    assert!(Chain::connect(&url).await.is_err());

    // Meanwhile it works with its peers, and for those who were there first.
    until_true("blocks become final", 60, async || {
        alice
            .finalized_number()
            .await
            .is_ok_and(|number| number >= before + 4)
    })
    .await;
    ask(&alice, "Are you still there?").await;
    drop(clients);
    until("the doors are open again", 30, async || {
        Chain::connect(&url).await.ok()
    })
    .await;
    drop(peers);
    assert!(network.nodes[0].is_running());
    network.check_finality().await;
}
