//! A file in chunks: the same ones each time that it is read.

use std::fs::File;
use std::io::{self, BufRead as _, BufReader, Seek as _};

use headcount_api::import::{CHUNK_LINES, LINE_BYTES};

/// Some lines of the file.
#[derive(Debug)]
pub(super) struct Chunk {
    /// Its number, from 0.
    pub(super) number: u32,
    /// The lines of the file before it.
    pub(super) lines_before: u64,
    /// The lines, as they are sent.
    pub(super) body: Vec<u8>,
    /// How many bytes of the file they take.
    pub(super) read: u64,
}

/// Reads the chunks of a file.
#[derive(Debug)]
pub(super) struct Chunks {
    file: BufReader<File>,
    next: u32,
    lines: u64,
}

/// The id of an import of this file: a UUID of the form for own use (version 8), made of the content.
pub(super) fn id_of(file: &mut File) -> io::Result<String> {
    let mut hasher = blake3::Hasher::new();
    hasher.update_reader(&mut *file)?;
    file.rewind()?;
    let mut id = [0; 16];
    id.copy_from_slice(&hasher.finalize().as_bytes()[..16]);
    id[6] = id[6] & 0x0f | 0x80;
    id[8] = id[8] & 0x3f | 0x80;
    let digits = hex::encode(id);
    Ok([&digits[..8], &digits[8..12], &digits[12..16], &digits[16..20], &digits[20..]].join("-"))
}

impl Chunks {
    pub(super) fn of(file: File) -> Self {
        Self { file: BufReader::new(file), next: 0, lines: 0 }
    }

    /// The next lines, or `None` at the end of the file.
    pub(super) fn next(&mut self) -> io::Result<Option<Chunk>> {
        let mut chunk = Chunk { number: self.next, lines_before: self.lines, body: Vec::new(), read: 0 };
        for _ in 0..CHUNK_LINES {
            let read = self.read_line(&mut chunk.body)?;
            if read == 0 {
                break;
            }
            chunk.read += read;
            self.lines += 1;
        }
        self.next += 1;
        Ok((chunk.read > 0).then_some(chunk))
    }

    /// Appends one line and gives how many bytes it takes in the file. Of a line beyond the limit only so much is sent
    /// that the server rejects it.
    fn read_line(&mut self, body: &mut Vec<u8>) -> io::Result<u64> {
        let (mut room, mut read) = (LINE_BYTES + 1, 0);
        loop {
            let buffer = self.file.fill_buf()?;
            if buffer.is_empty() {
                return Ok(read);
            }
            let end = buffer.iter().position(|&byte| byte == b'\n');
            let part = &buffer[..end.unwrap_or(buffer.len())];
            let kept = &part[..part.len().min(room)];
            body.extend_from_slice(kept);
            room -= kept.len();
            let used = part.len() + usize::from(end.is_some());
            read += used as u64;
            self.file.consume(used);
            if end.is_some() {
                body.push(b'\n');
                return Ok(read);
            }
        }
    }
}
