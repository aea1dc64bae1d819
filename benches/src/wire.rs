//! Counts the statements that a client sends to a server, on the wire: a relay stands between the two and reads the
//! messages' headers. So what is counted is what was sent, whatever the client believes, and other clients of the server
//! do not disturb it. Neither side may use TLS. It knows nothing of answers.

use std::{
    io::{self, Read, Write},
    net::{Shutdown, TcpListener, TcpStream},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    thread,
};

use url::Url;

/// The statements counted so far.
#[derive(Clone, Debug, Default)]
pub struct StatementCounter(Arc<AtomicU64>);

impl StatementCounter {
    /// How many there were.
    pub fn count(&self) -> u64 {
        self.0.load(Ordering::SeqCst)
    }
}

/// Starts a relay before the server of a `postgres://` or `mysql://` URL. Gives the URL that leads through it; the relay
/// serves connections until the process ends.
///
/// # Errors
/// Where the URL is of another kind, or the relay cannot listen.
pub fn count_statements(url: &str) -> io::Result<(String, StatementCounter)> {
    let mut through = Url::parse(url).map_err(|_| io::Error::other("the database's URL does not parse"))?;
    let (protocol, port, no_tls) = match through.scheme() {
        "postgres" | "postgresql" => (Protocol::Postgres, 5432, ("sslmode", "disable")),
        "mysql" | "mariadb" => (Protocol::MySql, 3306, ("ssl-mode", "DISABLED")),
        other => return Err(io::Error::other(format!("no wire to listen on: {other}"))),
    };
    let server = (through.host_str().unwrap_or("127.0.0.1").to_owned(), through.port().unwrap_or(port));
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let refused = |()| io::Error::other("the URL takes no other host or port");
    through.set_host(Some("127.0.0.1")).map_err(io::Error::other)?;
    through.set_port(Some(listener.local_addr()?.port())).map_err(refused)?;
    through.query_pairs_mut().append_pair(no_tls.0, no_tls.1);
    let counter = StatementCounter::default();
    let shared = counter.clone();
    thread::spawn(move || {
        for client in listener.incoming().flatten() {
            // A server that is gone shows on the client's side as a closed connection.
            if let Ok(server) = TcpStream::connect((server.0.as_str(), server.1)) {
                let _ = relay(client, server, Frames::new(protocol), shared.clone());
            }
        }
    });
    Ok((through.to_string(), counter))
}

/// Copies both ways, each in a thread of its own, and counts on the way to the server.
fn relay(client: TcpStream, server: TcpStream, mut frames: Frames, counter: StatementCounter) -> io::Result<()> {
    let (mut answers, mut to_client) = (server.try_clone()?, client.try_clone()?);
    thread::spawn(move || {
        let _ = io::copy(&mut answers, &mut to_client);
        let _ = to_client.shutdown(Shutdown::Both);
    });
    let (mut from_client, mut to_server) = (client, server);
    thread::spawn(move || {
        let mut buffer = [0; 16 * 1024];
        while let Ok(length @ 1..) = from_client.read(&mut buffer) {
            // Counted before the server sees it: whoever has the answer finds its question counted.
            counter.0.fetch_add(frames.statements_in(&buffer[..length]), Ordering::SeqCst);
            if to_server.write_all(&buffer[..length]).is_err() {
                break;
            }
        }
        let _ = to_server.shutdown(Shutdown::Both);
    });
    Ok(())
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Protocol {
    Postgres,
    MySql,
}

/// Splits what a client sends into messages, in whatever pieces it comes.
#[derive(Debug)]
struct Frames {
    protocol: Protocol,
    /// PostgreSQL: the messages before the session starts have no type byte.
    started: bool,
    pending: Vec<u8>,
}

impl Frames {
    fn new(protocol: Protocol) -> Self {
        Self { protocol, started: false, pending: Vec::new() }
    }

    /// How many statements these further bytes complete.
    fn statements_in(&mut self, bytes: &[u8]) -> u64 {
        self.pending.extend_from_slice(bytes);
        let mut statements = 0;
        while let Some((length, is_statement)) = self.first() {
            statements += u64::from(is_statement);
            self.pending.drain(..length);
        }
        statements
    }

    /// The length of the first message with its header, and whether it runs a statement; `None` until it is complete.
    fn first(&mut self) -> Option<(usize, bool)> {
        let bytes = &self.pending;
        let word = |at: usize| Some(u32::from_be_bytes(bytes.get(at..at + 4)?.try_into().ok()?));
        match self.protocol {
            Protocol::Postgres if !self.started => {
                /// The client asks for TLS or GSSAPI first; the start-up message follows.
                const ENCRYPTION_REQUESTS: [u32; 2] = [80_877_103, 80_877_104];
                let (length, code) = (word(0)? as usize, word(4)?);
                self.started = bytes.len() >= length && !ENCRYPTION_REQUESTS.contains(&code);
                (self.pending.len() >= length).then_some((length, false))
            }
            Protocol::Postgres => {
                // Q is a simple query, E the execution of a prepared one; the length does not count the type.
                let length = word(1)? as usize + 1;
                (bytes.len() >= length).then_some((length, matches!(bytes[0], b'Q' | b'E')))
            }
            Protocol::MySql => {
                const COM_QUERY: u8 = 3;
                const COM_STMT_EXECUTE: u8 = 23;
                let header = bytes.get(..4)?;
                let length = u32::from_le_bytes([header[0], header[1], header[2], 0]) as usize + 4;
                // Number 0 begins an exchange; the packets of the handshake answer the server's and have others.
                let begins = header[3] == 0 && length > 4;
                let is_statement = begins && matches!(*bytes.get(4)?, COM_QUERY | COM_STMT_EXECUTE);
                (bytes.len() >= length).then_some((length, is_statement))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(kind: u8, body: &[u8]) -> Vec<u8> {
        [&[kind], &(body.len() as u32 + 4).to_be_bytes()[..], body].concat()
    }

    fn packet(number: u8, body: &[u8]) -> Vec<u8> {
        [&(body.len() as u32).to_le_bytes()[..3], &[number], body].concat()
    }

    /// The count, whether the bytes come all at once or one by one.
    fn counted(protocol: Protocol, bytes: &[u8]) -> u64 {
        let at_once = Frames::new(protocol).statements_in(bytes);
        let mut frames = Frames::new(protocol);
        let one_by_one: u64 = bytes.chunks(1).map(|byte| frames.statements_in(byte)).sum();
        assert_eq!(at_once, one_by_one);
        at_once
    }

    #[test]
    fn queries_and_executions_count_on_postgresql() {
        let tls = [&8_u32.to_be_bytes()[..], &80_877_103_u32.to_be_bytes()].concat();
        let start = [&9_u32.to_be_bytes()[..], &196_608_u32.to_be_bytes(), b"\0"].concat();
        let rest = [message(b'P', b"EEEE"), message(b'E', b"x"), message(b'S', b""), message(b'Q', b"SELECT 1\0")];
        assert_eq!(counted(Protocol::Postgres, &[tls, start, rest.concat()].concat()), 2);
    }

    #[test]
    fn queries_and_executions_count_on_mysql() {
        let handshake = packet(1, b"\x03 this is no query");
        let rest = [packet(0, b"\x16prepare"), packet(0, b"\x17execute"), packet(0, b"\x03select"), packet(0, b"")];
        assert_eq!(counted(Protocol::MySql, &[handshake, rest.concat()].concat()), 2);
    }
}
