//! Reading a body whole, and its cap (F17).

use std::collections::VecDeque;
use std::pin::Pin;
use std::task::{Context, Poll};

use http_body::{Body, Frame, SizeHint};

use super::super::TransportFaultKind as Kind;
use super::*;

/// A body of given pieces, which may or may not announce its length.
struct Pieces(VecDeque<Bytes>, bool);

impl Body for Pieces {
    type Data = Bytes;
    type Error = TransportFault;

    fn poll_frame(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, TransportFault>>> {
        Poll::Ready(self.0.pop_front().map(|piece| Ok(Frame::data(piece))))
    }

    fn is_end_stream(&self) -> bool {
        self.1 && self.0.is_empty()
    }

    fn size_hint(&self) -> SizeHint {
        let length = self.0.iter().map(|piece| piece.len() as u64).sum();
        if self.1 {
            SizeHint::with_exact(length)
        } else {
            SizeHint::default()
        }
    }
}

#[tokio::test]
async fn a_body_is_read_whole_up_to_its_cap() {
    for announced in [false, true] {
        for (pieces, bytes_max, expected) in [
            (vec![], 0, Ok("")),
            (vec!["hello"], 5, Ok("hello")),
            (vec!["hello"], 4, Err(Kind::TooLarge)),
            (vec!["he", "", "llo"], 5, Ok("hello")),
            (vec!["he", "ll", "o"], 5, Ok("hello")),
            (vec!["he", "ll", "o"], 4, Err(Kind::TooLarge)),
            (vec!["he", "llo"], 2, Err(Kind::TooLarge)),
        ] {
            let body = Pieces(pieces.iter().map(|piece| Bytes::from_static(piece.as_bytes())).collect(), announced);
            let got = collect(body, bytes_max).await.map_err(|fault| fault.kind);
            assert_eq!(got, expected.map(Bytes::from), "{pieces:?} {bytes_max} {announced}");
        }
    }
}

#[tokio::test]
async fn a_single_piece_is_not_copied() {
    for announced in [false, true] {
        let piece = Bytes::from(vec![7; 1000]);
        let whole = collect(Pieces([piece.clone()].into(), announced), 1000).await.unwrap();
        assert_eq!(whole.as_ptr(), piece.as_ptr());
    }
}

#[tokio::test]
async fn f17_an_endless_body_is_cut_at_its_cap() {
    let server = Server::start(|mut tcp, _| {
        read_request(&mut tcp);
        tcp.write_all(b"HTTP/1.1 200 OK\r\n\r\n").unwrap();
        while tcp.write_all(&[b'x'; 64 * 1024]).is_ok() {}
    });
    let fault = fetch(&client(), &server.origin(), &timeouts()).await.unwrap_err();
    assert_eq!(fault.kind, Kind::TooLarge, "{fault}");
    let announced = Server::answering(format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\nx", 100 << 20));
    let fault = fetch(&client(), &announced.origin(), &timeouts()).await.unwrap_err();
    assert_eq!(fault.kind, Kind::TooLarge, "told before it is read: {fault}");
}
