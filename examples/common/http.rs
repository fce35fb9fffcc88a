//! HTTP/1.1 on the side of a server, as much of it as clients of devices use: one request after the
//! other on a connection, with a `Content-Length` or in chunks.

use burn_quantum::hardware::{Method, Request, Response};
use std::io::{self, BufRead, Read, Write};

const MAX_LINE: u64 = 64 << 10;
const MAX_HEADERS: usize = 100;
const MAX_BODY: u64 = 64 << 20;

fn malformed(reason: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, reason)
}

/// A line without its end; nothing at the end of the stream.
fn line(stream: &mut impl BufRead) -> io::Result<Option<String>> {
    let mut bytes = Vec::new();
    stream.take(MAX_LINE).read_until(b'\n', &mut bytes)?;
    if bytes.is_empty() {
        return Ok(None);
    }
    if bytes.pop() != Some(b'\n') {
        return Err(malformed("a line is too long or cut off"));
    }
    let text = String::from_utf8(bytes).map_err(|_| malformed("a header is not UTF-8"))?;
    Ok(Some(text.trim_end_matches('\r').into()))
}

fn exactly(stream: &mut impl BufRead, n: u64) -> io::Result<Vec<u8>> {
    if n > MAX_BODY {
        return Err(malformed("the body is too large"));
    }
    let mut body = Vec::new();
    stream.take(n).read_to_end(&mut body)?;
    if body.len() as u64 == n { Ok(body) } else { Err(malformed("the body is cut off")) }
}

fn chunked(stream: &mut impl BufRead) -> io::Result<Vec<u8>> {
    let mut body = Vec::new();
    loop {
        let size = line(stream)?.ok_or_else(|| malformed("the body is cut off"))?;
        let size = size.split(';').next().unwrap_or_default().trim();
        let size = u64::from_str_radix(size, 16).map_err(|_| malformed("no size of a chunk"))?;
        body.extend(exactly(stream, size)?);
        if body.len() as u64 > MAX_BODY {
            return Err(malformed("the body is too large"));
        }
        line(stream)?;
        if size == 0 {
            return Ok(body);
        }
    }
}

/// The next request of a connection; nothing once the client has closed it.
pub fn read(stream: &mut impl BufRead) -> io::Result<Option<Request>> {
    let Some(first) = line(stream)? else { return Ok(None) };
    let mut words = first.split(' ');
    let method = words.next().and_then(Method::of_name);
    let (Some(method), Some(url)) = (method, words.next()) else {
        return Err(malformed("no request line, or an unknown method"));
    };
    let mut request = Request::new(method, url);
    loop {
        let line = line(stream)?.ok_or_else(|| malformed("the headers are cut off"))?;
        if line.is_empty() {
            break;
        }
        let (name, value) = line.split_once(':').ok_or_else(|| malformed("no header"))?;
        request.headers.push((name.trim().into(), value.trim().into()));
        if request.headers.len() > MAX_HEADERS {
            return Err(malformed("too many headers"));
        }
    }
    let length = request.header("Content-Length").map(str::parse);
    let is_chunked = request.header("Transfer-Encoding").is_some_and(|v| v.contains("chunked"));
    request.body = match length {
        _ if is_chunked => chunked(stream)?,
        Some(length) => exactly(stream, length.map_err(|_| malformed("no length of the body"))?)?,
        None => Vec::new(),
    };
    Ok(Some(request))
}

/// Writes a response; the connection stays open.
pub fn write(stream: &mut impl Write, response: &Response) -> io::Result<()> {
    let mut head = format!("HTTP/1.1 {} -\r\n", response.status);
    for (name, value) in &response.headers {
        head += &format!("{name}: {value}\r\n");
    }
    head += &format!("Content-Length: {}\r\n\r\n", response.body.len());
    stream.write_all(&[head.as_bytes(), &response.body].concat())?;
    stream.flush()
}
