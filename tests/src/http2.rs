//! HTTP/2 by hand: frames as no well-bred client would send them. Heads are literals of HPACK (RFC 7541, 6.2.2), so that it needs
//! no table.

use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

/// The kinds of frames (RFC 9113, 6).
pub mod kind {
    /// DATA.
    pub const DATA: u8 = 0;
    /// HEADERS.
    pub const HEADERS: u8 = 1;
    /// `RST_STREAM`.
    pub const RESET: u8 = 3;
    /// SETTINGS.
    pub const SETTINGS: u8 = 4;
    /// PING.
    pub const PING: u8 = 6;
    /// GOAWAY.
    pub const GOAWAY: u8 = 7;
    /// `WINDOW_UPDATE`.
    pub const WINDOW: u8 = 8;
    /// CONTINUATION.
    pub const CONTINUATION: u8 = 9;
}

/// The stream ends with this frame; of a SETTINGS or PING frame: it acknowledges.
pub const END_STREAM: u8 = 1;
/// The head ends with this frame.
pub const END_HEADERS: u8 = 4;
/// The setting of how much of each stream may be sent unasked.
pub const INITIAL_WINDOW: u16 = 4;

/// A connection.
pub struct Frames {
    /// The socket.
    pub socket: TcpStream,
    read: Vec<u8>,
}

/// A frame that was read.
#[derive(Debug)]
pub struct Frame {
    /// What it is.
    pub kind: u8,
    /// Its flags.
    pub flags: u8,
    /// Its stream; 0: the connection.
    pub stream: u32,
    /// What it holds.
    pub payload: Vec<u8>,
}

impl Frames {
    /// Connects and says hello, with these settings.
    pub async fn connect(to: SocketAddr, settings: &[(u16, u32)]) -> Self {
        let mut socket = TcpStream::connect(to).await.unwrap();
        let mut payload = Vec::new();
        for (name, value) in settings {
            payload.extend_from_slice(&name.to_be_bytes());
            payload.extend_from_slice(&value.to_be_bytes());
        }
        let hello = [
            b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".as_slice(),
            &frame(kind::SETTINGS, 0, 0, &payload),
        ]
        .concat();
        socket.write_all(&hello).await.unwrap();
        Self { socket, read: Vec::new() }
    }

    /// Sends bytes as they are; false: the gateway has closed.
    pub async fn send(&mut self, bytes: &[u8]) -> bool {
        matches!(timeout(Duration::from_secs(5), self.socket.write_all(bytes)).await, Ok(Ok(())))
    }

    /// Asks for a completion on that stream.
    pub async fn ask(&mut self, stream: u32, path: &str, key: &str, body: &str) -> bool {
        let length = body.len().to_string();
        let head = head(&[
            (":method", "POST"),
            (":scheme", "http"),
            (":authority", "t"),
            (":path", path),
            ("authorization", &format!("Bearer {key}")),
            ("content-type", "application/json"),
            ("content-length", &length),
        ]);
        let bytes = [
            frame(kind::HEADERS, END_HEADERS, stream, &head),
            frame(kind::DATA, END_STREAM, stream, body.as_bytes()),
        ];
        self.send(&bytes.concat()).await
    }

    /// The next frame; `None`: the gateway closed, or said nothing for that long.
    pub async fn next(&mut self, quiet: Duration) -> Option<Frame> {
        loop {
            if let Some(head) = self.read.get(..9) {
                let length = usize::from(head[0]) << 16 | usize::from(head[1]) << 8 | usize::from(head[2]);
                if 9 + length <= self.read.len() {
                    let stream = u32::from_be_bytes([head[5] & 0x7f, head[6], head[7], head[8]]);
                    let (kind, flags) = (head[3], head[4]);
                    let payload = self.read.drain(..9 + length).skip(9).collect();
                    return Some(Frame {
                        kind,
                        flags,
                        stream,
                        payload,
                    });
                }
            }
            let mut buffer = vec![0; 16 << 10];
            match timeout(quiet, self.socket.read(&mut buffer)).await {
                Ok(Ok(count @ 1..)) => self.read.extend_from_slice(&buffer[..count]),
                _ => return None,
            }
        }
    }

    /// Waits for a frame of that kind; `None`: none came.
    pub async fn wait_for(&mut self, kind: u8, quiet: Duration) -> Option<Frame> {
        loop {
            let frame = self.next(quiet).await?;
            if frame.kind == kind {
                return Some(frame);
            }
        }
    }
}

/// A frame's bytes.
#[must_use]
pub fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
    let stream = stream.to_be_bytes();
    [&length[1..], &[kind, flags], &stream, payload].concat()
}

/// A head's block.
#[must_use]
pub fn head(fields: &[(&str, &str)]) -> Vec<u8> {
    let mut block = Vec::new();
    for (name, value) in fields {
        block.push(0);
        text(&mut block, name);
        text(&mut block, value);
    }
    block
}

/// A text without Huffman's code: its length as an integer of 7 bits and more (RFC 7541, 5.1), then its bytes.
fn text(block: &mut Vec<u8>, text: &str) {
    let mut length = text.len();
    if length < 127 {
        block.push(u8::try_from(length).unwrap());
    } else {
        block.push(127);
        length -= 127;
        while 128 <= length {
            block.push(u8::try_from(length % 128 + 128).unwrap());
            length /= 128;
        }
        block.push(u8::try_from(length).unwrap());
    }
    block.extend_from_slice(text.as_bytes());
}
