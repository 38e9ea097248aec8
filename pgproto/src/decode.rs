//! Bytes to messages. Nothing here trusts a length: every read is checked against the frame, and
//! no count makes an allocation larger than the bytes that came with it.

use crate::backend::Format;
use crate::error::{Error, SqlState};
use crate::limits::{MAX_BYTES_BEFORE_AUTHENTICATION, MAX_SMALL_MESSAGE_BYTES};
use crate::message::{Bind, Frame, Message, StartupPacket, Target};

const TLS_REQUEST: u32 = 80_877_103;
const GSS_REQUEST: u32 = 80_877_104;
const CANCEL_REQUEST: u32 = 80_877_102;

/// Longest secret a CancelRequest may carry, in bytes (protocol 3.2).
const MAX_CANCEL_KEY_BYTES: usize = 256;

/// Length of the frame that starts `input`, header included, or `None` while the header is not
/// complete.
///
/// The error ends the connection: past a wrong length nobody knows where the next message begins.
pub(crate) fn frame_length(input: &[u8], max_message_bytes: usize) -> Result<Option<usize>, Error> {
    let Some(&kind) = input.first() else { return Ok(None) };
    let limit = match kind {
        b'Q' | b'P' | b'B' | b'F' | b'd' => max_message_bytes,
        b'E' | b'D' | b'C' | b'H' | b'S' | b'X' | b'c' | b'f' | b'p' => MAX_SMALL_MESSAGE_BYTES,
        _ => {
            let code = SqlState::PROTOCOL_VIOLATION;
            return Err(Error::fatal(code, format!("invalid frontend message type {kind}")));
        }
    };
    body_length(&input[1..], limit).map(|length| length.map(|length| length + 1))
}

/// Length of the startup packet that starts `input`, its length word included.
pub(crate) fn startup_length(input: &[u8]) -> Result<Option<usize>, Error> {
    let length = body_length(input, MAX_BYTES_BEFORE_AUTHENTICATION).map_err(|_| {
        Error::fatal(SqlState::PROTOCOL_VIOLATION, "invalid length of startup packet")
    })?;
    match length {
        Some(length) if length < 8 => {
            Err(Error::fatal(SqlState::PROTOCOL_VIOLATION, "invalid length of startup packet"))
        }
        length => Ok(length),
    }
}

fn body_length(input: &[u8], limit: usize) -> Result<Option<usize>, Error> {
    let Some(word) = input.first_chunk::<4>() else { return Ok(None) };
    let length = usize::try_from(i32::from_be_bytes(*word)).unwrap_or(0);
    if length < 4 {
        return Err(Error::fatal(SqlState::PROTOCOL_VIOLATION, "invalid message length"));
    }
    if length > limit {
        let code = SqlState::PROGRAM_LIMIT_EXCEEDED;
        let message = format!("message of {length} bytes is longer than the {limit} allowed");
        return Err(Error::fatal(code, message));
    }
    Ok(Some(length))
}

/// Decodes one frame of the normal phase. The error leaves the connection in step: the frame was
/// whole.
pub(crate) fn message(frame: &Frame) -> Result<Message<'_>, Error> {
    let mut body = Body(&frame.body);
    let message = match frame.kind {
        b'Q' => Message::Query(body.text()?),
        b'P' => parse(&mut body)?,
        b'B' => Message::Bind(bind(&mut body)?),
        b'D' => Message::Describe(target(&mut body, "DESCRIBE")?),
        b'E' => Message::Execute { portal: body.text()?, max_rows: body.i32()? },
        b'C' => Message::Close(target(&mut body, "CLOSE")?),
        b'S' => Message::Sync,
        b'H' => Message::Flush,
        b'X' => Message::Terminate,
        b'f' => Message::CopyFail(body.text()?),
        b'c' => Message::CopyDone,
        b'd' => return Ok(Message::CopyData),
        b'F' => return Ok(Message::FunctionCall),
        kind => {
            let code = SqlState::PROTOCOL_VIOLATION;
            return Err(Error::fatal(code, format!("invalid frontend message type {kind}")));
        }
    };
    body.end()?;
    Ok(message)
}

fn parse<'a>(body: &mut Body<'a>) -> Result<Message<'a>, Error> {
    let name = body.text()?;
    let sql = body.text()?;
    let count = body.count(4)?;
    let types = (0..count).map(|_| body.u32()).collect::<Result<_, _>>()?;
    Ok(Message::Parse { name, sql, types })
}

fn bind<'a>(body: &mut Body<'a>) -> Result<Bind<'a>, Error> {
    let portal = body.text()?;
    let statement = body.text()?;
    let parameter_formats = formats(body)?;
    let count = body.count(4)?;
    let parameters = (0..count).map(|_| body.value()).collect::<Result<Vec<_>, _>>()?;
    let result_formats = formats(body)?;
    if parameter_formats.len() > 1 && parameter_formats.len() != parameters.len() {
        return Err(Error::protocol(format!(
            "bind message has {} parameter formats but {} parameters",
            parameter_formats.len(),
            parameters.len()
        )));
    }
    Ok(Bind { portal, statement, parameter_formats, parameters, result_formats })
}

fn formats(body: &mut Body<'_>) -> Result<Vec<Format>, Error> {
    let count = body.count(2)?;
    (0..count).map(|_| body.format()).collect()
}

fn target<'a>(body: &mut Body<'a>, word: &str) -> Result<Target<'a>, Error> {
    match body.byte()? {
        b'S' => Ok(Target::Statement(body.text()?)),
        b'P' => Ok(Target::Portal(body.text()?)),
        kind => Err(Error::protocol(format!("invalid {word} message subtype {kind}"))),
    }
}

/// Decodes a startup packet, its length word included in `packet`. Every error here ends the
/// connection.
pub(crate) fn startup_packet(packet: &[u8]) -> Result<StartupPacket<'_>, Error> {
    let mut body = Body(packet.get(4..).unwrap_or_default());
    let code = body.u32()?;
    match code {
        TLS_REQUEST => body.end().map(|()| StartupPacket::Tls),
        GSS_REQUEST => body.end().map(|()| StartupPacket::Gss),
        CANCEL_REQUEST => {
            let process_id = body.i32()?;
            let key = body.0;
            if key.is_empty() || key.len() > MAX_CANCEL_KEY_BYTES {
                return Err(Error::protocol("invalid length of cancel key"));
            }
            Ok(StartupPacket::Cancel { process_id, key })
        }
        _ => {
            let major = u16::try_from(code >> 16).unwrap_or_default();
            let minor = u16::try_from(code & 0xffff).unwrap_or_default();
            // The body of another major version is not ours to read.
            let parameters = if major == 3 { parameters(&mut body)? } else { Vec::new() };
            Ok(StartupPacket::Startup { major, minor, parameters })
        }
    }
}

fn parameters<'a>(body: &mut Body<'a>) -> Result<Vec<(&'a str, &'a str)>, Error> {
    let mut parameters = Vec::new();
    loop {
        let name = body.text()?;
        if name.is_empty() {
            break;
        }
        parameters.push((name, body.text()?));
    }
    if !body.0.is_empty() {
        return Err(Error::protocol(
            "invalid startup packet layout: expected terminator as last byte",
        ));
    }
    Ok(parameters)
}

/// SASLInitialResponse: mechanism and first client message.
pub(crate) fn sasl_initial(body: &[u8]) -> Result<(&str, &[u8]), Error> {
    let mut body = Body(body);
    let mechanism = body.text()?;
    let response = body.value()?.unwrap_or_default();
    body.end()?;
    Ok((mechanism, response))
}

/// What is left of a message's body.
struct Body<'a>(&'a [u8]);

impl<'a> Body<'a> {
    fn take(&mut self, length: usize) -> Result<&'a [u8], Error> {
        let (taken, rest) = self
            .0
            .split_at_checked(length)
            .ok_or_else(|| Error::protocol("insufficient data left in message"))?;
        self.0 = rest;
        Ok(taken)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], Error> {
        let mut array = [0; N];
        array.copy_from_slice(self.take(N)?);
        Ok(array)
    }

    fn byte(&mut self) -> Result<u8, Error> {
        self.array::<1>().map(|[byte]| byte)
    }

    fn i32(&mut self) -> Result<i32, Error> {
        self.array().map(i32::from_be_bytes)
    }

    fn u32(&mut self) -> Result<u32, Error> {
        self.array().map(u32::from_be_bytes)
    }

    /// A count of things of at least `width` bytes each, held against what is really there.
    fn count(&mut self, width: usize) -> Result<usize, Error> {
        let count = usize::from(self.array().map(u16::from_be_bytes)?);
        if count * width > self.0.len() {
            return Err(Error::protocol("insufficient data left in message"));
        }
        Ok(count)
    }

    fn value(&mut self) -> Result<Option<&'a [u8]>, Error> {
        match self.i32()? {
            -1 => Ok(None),
            length => {
                let length = usize::try_from(length)
                    .map_err(|_| Error::protocol("invalid length of a value in message"))?;
                self.take(length).map(Some)
            }
        }
    }

    fn format(&mut self) -> Result<Format, Error> {
        match self.array().map(i16::from_be_bytes)? {
            0 => Ok(Format::Text),
            1 => Ok(Format::Binary),
            code => Err(Error::new(
                SqlState::INVALID_PARAMETER_VALUE,
                format!("unsupported format code: {code}"),
            )),
        }
    }

    fn text(&mut self) -> Result<&'a str, Error> {
        let end = self
            .0
            .iter()
            .position(|byte| *byte == 0)
            .ok_or_else(|| Error::protocol("invalid string in message"))?;
        let bytes = self.take(end)?;
        self.take(1)?;
        std::str::from_utf8(bytes).map_err(|error| invalid_utf8(bytes, error))
    }

    fn end(&self) -> Result<(), Error> {
        if self.0.is_empty() { Ok(()) } else { Err(Error::protocol("invalid message format")) }
    }
}

fn invalid_utf8(bytes: &[u8], error: std::str::Utf8Error) -> Error {
    let start = error.valid_up_to();
    let end = (start + error.error_len().unwrap_or(4)).min(bytes.len());
    let hex: Vec<String> = bytes[start..end].iter().map(|byte| format!("0x{byte:02x}")).collect();
    Error::new(
        SqlState::CHARACTER_NOT_IN_REPERTOIRE,
        format!("invalid byte sequence for encoding \"UTF8\": {}", hex.join(" ")),
    )
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use proptest::prelude::*;

    use super::*;

    const KINDS: &[u8] = b"QPBDECSHXfcdFp";

    fn frame(kind: u8, body: &[u8]) -> Frame {
        Frame { kind, body: Bytes::copy_from_slice(body) }
    }

    proptest! {
        #[test]
        fn arbitrary_bodies_never_panic(
            kind in 0..KINDS.len(),
            body in proptest::collection::vec(any::<u8>(), 0..200),
        ) {
            let _ = message(&frame(KINDS[kind], &body));
            let _ = startup_packet(&body);
            let _ = sasl_initial(&body);
            let _ = frame_length(&body, 1 << 20);
            let _ = startup_length(&body);
        }

        /// Bodies that look right until a count or a length lies.
        #[test]
        fn nearly_right_bodies_never_panic(
            kind in 0..KINDS.len(),
            pieces in proptest::collection::vec(
                prop_oneof![
                    Just(vec![0]),
                    Just(b"a\0".to_vec()),
                    any::<i16>().prop_map(|n| n.to_be_bytes().to_vec()),
                    any::<i32>().prop_map(|n| n.to_be_bytes().to_vec()),
                    (0i32..4).prop_map(|n| n.to_be_bytes().to_vec()),
                    (0i16..4).prop_map(|n| n.to_be_bytes().to_vec()),
                ],
                0..12,
            ),
        ) {
            let body = pieces.concat();
            let _ = message(&frame(KINDS[kind], &body));
            let _ = startup_packet(&[&[0; 4], body.as_slice()].concat());
            let mut startup = vec![0, 0, 0, 0, 0, 3, 0, 0];
            startup.extend(&body);
            let _ = startup_packet(&startup);
        }

        #[test]
        fn a_bind_is_read_back(
            portal in "[a-z]{0,8}",
            statement in "[a-z]{0,8}",
            values in proptest::collection::vec(
                proptest::option::of(proptest::collection::vec(any::<u8>(), 0..20)), 0..6),
            binary in any::<bool>(),
        ) {
            let mut body = Vec::new();
            body.extend([portal.as_bytes(), b"\0", statement.as_bytes(), b"\0"].concat());
            body.extend([0, 1, 0, u8::from(binary)]);
            body.extend(u16::try_from(values.len()).unwrap().to_be_bytes());
            for value in &values {
                match value {
                    None => body.extend((-1i32).to_be_bytes()),
                    Some(value) => {
                        body.extend(i32::try_from(value.len()).unwrap().to_be_bytes());
                        body.extend(value);
                    }
                }
            }
            body.extend([0, 0]);
            let frame = frame(b'B', &body);
            let expected = Bind {
                portal: &portal,
                statement: &statement,
                parameter_formats: vec![if binary { Format::Binary } else { Format::Text }],
                parameters: values.iter().map(Option::as_deref).collect(),
                result_formats: vec![],
            };
            prop_assert_eq!(message(&frame).unwrap(), Message::Bind(expected));
        }
    }

    #[test]
    fn lying_lengths_are_refused() {
        let code = |input: &[u8]| frame_length(input, 1000).unwrap_err().code.to_string();
        assert_eq!(code(b"Q\0\0\0\x03"), "08P01");
        assert_eq!(code(b"Q\xff\xff\xff\xff"), "08P01");
        assert_eq!(code(b"Q\x7f\xff\xff\xff"), "54000");
        assert_eq!(code(b"S\0\0\x40\0"), "54000");
        assert_eq!(code(b"~\0\0\0\x04"), "08P01");
        assert_eq!(frame_length(b"Q\0\0", 1000).unwrap(), None);
        assert_eq!(frame_length(b"Q\0\0\0\x04", 1000).unwrap(), Some(5));
    }

    #[test]
    fn a_long_cancel_key_is_read() {
        let mut packet = vec![0, 0, 0, 44];
        packet.extend(CANCEL_REQUEST.to_be_bytes());
        packet.extend(7i32.to_be_bytes());
        packet.extend([9; 32]);
        let expected = StartupPacket::Cancel { process_id: 7, key: &[9; 32] };
        assert_eq!(startup_packet(&packet).unwrap(), expected);
    }
}
