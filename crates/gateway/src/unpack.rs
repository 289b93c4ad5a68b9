//! Stage 3, for callers that compress: gzip to the plain bytes that are policed and sent on, within the bounds of a plain body and
//! without the bombs (FAULTS R-E3). Other codings are refused by `ingress.rs`.

use std::io::Read;

use bytes::Bytes;
use flate2::read::MultiGzDecoder;
use tollgate_wire::fault::{Fault, FaultKind};

/// What is unpacked at once before others get their turn, in bytes.
const TURN_BYTES: usize = 256 << 10;
/// How gzip begins (RFC 1952, 2.3).
const MAGIC: &[u8] = &[0x1f, 0x8b];
/// The shortest head and tail of a member, in bytes.
const MEMBER_BYTES_MIN: usize = 18;
/// How many times its own size a body may unpack to.
const RATIO_MAX: usize = 100;
/// A body up to this size is no bomb, whatever its ratio.
const HARMLESS_BYTES: usize = 64 << 10;

/// Unpacks a body, to `bytes_max` bytes at most.
///
/// # Errors
/// TooLarge, or Malformed when it is not gzip.
pub async fn gzip(packed: &[u8], bytes_max: usize) -> Result<Bytes, Fault> {
    let allowed = packed.len().saturating_mul(RATIO_MAX).max(HARMLESS_BYTES);
    // One more than may be, to see whether there is more.
    let wanted = bytes_max.min(allowed) + 1;
    // A member ends with the size of what is in it: a bomb that says so is not even looked into.
    let said = match packed.last_chunk() {
        Some(size) if packed.starts_with(MAGIC) && MEMBER_BYTES_MIN <= packed.len() => u32::from_le_bytes(*size) as usize,
        _ => 0,
    };
    if wanted <= said {
        return Err(too_large(bytes_max, allowed));
    }
    let mut reader = MultiGzDecoder::new(packed).take(wanted as u64);
    let mut plain = Vec::with_capacity(said);
    loop {
        let before = plain.len();
        if plain.capacity() - before < TURN_BYTES && said <= before {
            // It lied, or has several members. Pages that nobody writes to cost nothing; growing in steps would copy.
            plain.reserve_exact(wanted - before);
        }
        let mut turn = reader.by_ref().take(TURN_BYTES as u64);
        turn.read_to_end(&mut plain).map_err(|_| {
            Fault::client(
                FaultKind::Malformed,
                "the request body is not the gzip that its content-encoding says",
            )
        })?;
        if plain.len() == before {
            return Ok(Bytes::from(plain));
        }
        if plain.len() == wanted {
            return Err(too_large(bytes_max, allowed));
        }
        tokio::task::yield_now().await;
    }
}

fn too_large(bytes_max: usize, allowed: usize) -> Fault {
    let message = if bytes_max <= allowed {
        format!("the request body unpacks to more than {bytes_max} bytes; send less, or raise server.max_body")
    } else {
        format!("the request body unpacks to more than {RATIO_MAX} times its size; send it as plain JSON")
    };
    Fault::client(FaultKind::TooLarge, message)
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use std::io::Write;

    const MIB: usize = 1 << 20;

    fn pack(plain: &[u8]) -> Vec<u8> {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
        encoder.write_all(plain).unwrap();
        encoder.finish().unwrap()
    }

    /// What cannot be packed well: numbers in a row.
    fn numbers(bytes: usize) -> Vec<u8> {
        (0_u64..)
            .flat_map(|n| n.wrapping_mul(0x9e37_79b9_7f4a_7c15).to_le_bytes())
            .take(bytes)
            .collect()
    }

    #[tokio::test]
    async fn r_e3_what_is_packed_is_unpacked_within_its_bounds() {
        let hello = pack(b"hello");
        let cut = hello.get(..hello.len() - 1).unwrap().to_vec();
        let mut wrong = hello.clone();
        *wrong.iter_mut().rev().nth(5).unwrap() ^= 1;
        let rows: [(&str, Vec<u8>, Result<usize, FaultKind>); 15] = [
            ("a text", hello.clone(), Ok(5)),
            ("nothing packed", pack(b""), Ok(0)),
            ("two members", [hello.clone(), pack(b" you")].concat(), Ok(9)),
            ("as much as may be", pack(&numbers(2 * MIB)), Ok(2 * MIB)),
            ("one byte more", pack(&numbers(2 * MIB + 1)), Err(FaultKind::TooLarge)),
            ("a small one of a high ratio", pack(&[b' '; HARMLESS_BYTES]), Ok(HARMLESS_BYTES)),
            ("a high ratio", pack(&[b' '; MIB]), Err(FaultKind::TooLarge)),
            (
                "two bombs in one",
                [pack(&[0; MIB / 2]), pack(&[0; MIB / 2])].concat(),
                Err(FaultKind::TooLarge),
            ),
            (
                "a tail that is none",
                [hello.as_slice(), b"tail\0\0\0\0"].concat(),
                Err(FaultKind::Malformed),
            ),
            ("a wrong checksum", wrong, Err(FaultKind::Malformed)),
            ("one that is cut", cut, Err(FaultKind::Malformed)),
            ("a magic number alone", vec![0x1f, 0x8b, 8, 0], Err(FaultKind::Malformed)),
            ("plain text", b"{}".to_vec(), Err(FaultKind::Malformed)),
            (
                "a bomb that says nothing of it",
                [pack(&[0; 4 * MIB]), hello].concat(),
                Err(FaultKind::TooLarge),
            ),
            ("nothing", Vec::new(), Err(FaultKind::Malformed)),
        ];
        for (what, packed, expected) in rows {
            let plain = gzip(&packed, 2 * MIB).await;
            assert_eq!(plain.map(|plain| plain.len()).map_err(|fault| fault.kind), expected, "{what}");
        }
        let text = gzip(&pack(&numbers(MIB)), 2 * MIB).await.unwrap();
        assert_eq!(text, numbers(MIB));
    }
}
