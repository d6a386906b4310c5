//! As much of Redis' protocol as is needed to ask a server, and to stand between one and its client.

use std::io::{self, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

/// How long a server may take for an answer.
const PATIENCE: Duration = Duration::from_secs(5);

/// One value of the protocol.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Value {
    Text(String),
    Error(String),
    Integer(i64),
    Bytes(Vec<u8>),
    List(Vec<Value>),
    /// What nobody asked for: a message to a subscriber.
    Push(Vec<Value>),
    Nothing,
}

impl Value {
    /// The value as text, whatever it is.
    pub(crate) fn text(&self) -> String {
        match self {
            Self::Text(text) => text.clone(),
            Self::Error(text) => format!("-{text}"),
            Self::Integer(number) => number.to_string(),
            Self::Bytes(bytes) => String::from_utf8_lossy(bytes).into_owned(),
            Self::List(values) | Self::Push(values) => values.iter().map(Self::text).collect::<Vec<_>>().join("\n"),
            Self::Nothing => String::new(),
        }
    }

    pub(crate) fn list(self) -> Vec<Self> {
        let Self::List(values) = self else { panic!("no list: {self:?}") };
        values
    }

    /// The words of a command.
    pub(super) fn words(self) -> Vec<Vec<u8>> {
        let values = if let Self::List(values) = self { values } else { vec![self] };
        values.into_iter().map(|word| if let Self::Bytes(bytes) = word { bytes } else { word.text().into() }).collect()
    }

    /// The value after that name, in a list of names and values.
    pub(super) fn field(&self, name: &str) -> String {
        let Self::List(values) = self else { panic!("no list: {self:?}") };
        let at = values.iter().position(|value| value.text() == name);
        at.map_or_else(|| panic!("no {name}: {self:?}"), |at| values[at + 1].text())
    }
}

/// The value at the beginning and how many bytes it takes, if all of it is there.
pub(super) fn value(bytes: &[u8]) -> Option<(Value, usize)> {
    let line_end = bytes.windows(2).position(|end| end == b"\r\n")?;
    let (line, mut at) = (String::from_utf8_lossy(&bytes[1..line_end]).into_owned(), line_end + 2);
    let count: i64 = line.parse().unwrap_or(-1);
    let value = match bytes[0] {
        b'+' | b',' | b'#' | b'(' => Value::Text(line),
        b'-' => Value::Error(line),
        b':' => Value::Integer(count),
        b'$' | b'=' | b'!' if count >= 0 => {
            let end = at + count as usize;
            let text = bytes.get(at..end)?.to_vec();
            at = end + 2;
            (bytes.len() >= at).then_some(Value::Bytes(text))?
        }
        b'*' | b'~' | b'>' | b'%' if count >= 0 => {
            let elements = if bytes[0] == b'%' { 2 * count } else { count };
            let mut values = Vec::new();
            for _ in 0..elements {
                let (value, length) = value(bytes.get(at..)?)?;
                values.push(value);
                at += length;
            }
            if bytes[0] == b'>' { Value::Push(values) } else { Value::List(values) }
        }
        _ => Value::Nothing,
    };
    Some((value, at))
}

/// A command as a client sends it.
pub(super) fn command<W: AsRef<[u8]>>(words: &[W]) -> Vec<u8> {
    let mut bytes = format!("*{}\r\n", words.len()).into_bytes();
    for word in words {
        let word = word.as_ref();
        bytes.extend(format!("${}\r\n", word.len()).into_bytes());
        bytes.extend(word);
        bytes.extend(b"\r\n");
    }
    bytes
}

/// Asks the server on that loopback port, on a connection of its own.
pub(super) fn ask<W: AsRef<[u8]>>(port: u16, words: &[W]) -> io::Result<Value> {
    let address = SocketAddr::from(([127, 0, 0, 1], port));
    let mut stream = TcpStream::connect_timeout(&address, PATIENCE)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.write_all(&command(words))?;
    let (mut bytes, mut part) = (Vec::new(), [0; 1 << 14]);
    loop {
        if let Some((value, _)) = value(&bytes) {
            return Ok(value);
        }
        match stream.read(&mut part)? {
            0 => return Err(io::ErrorKind::UnexpectedEof.into()),
            length => bytes.extend(&part[..length]),
        }
    }
}
