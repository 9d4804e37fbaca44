//! A small load tool: HTTP/1.1 over connections that stay open, on one thread. It shares the machine
//! with what it measures, so it looks at no more of an answer than tells where the answer ends.

use std::io::ErrorKind;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use tokio::net::TcpStream;

/// How much is read at once, and the smallest buffer, in bytes.
const READ_BYTES: usize = 64 * 1024;

/// What to send, and what a good answer looks like.
#[derive(Clone)]
pub struct Request {
    /// The request as it goes over the wire.
    pub bytes: Vec<u8>,
    /// The status of a good answer.
    pub status: u16,
}

impl Request {
    /// A GET with the given header lines, each ended by `\r\n`.
    pub fn get(path: &str, headers: &str) -> Self {
        let bytes = format!("GET {path} HTTP/1.1\r\nhost: bench\r\n{headers}\r\n");
        Self {
            bytes: bytes.into_bytes(),
            status: 200,
        }
    }

    /// A POST of a form.
    pub fn post(path: &str, headers: &str, form: &str) -> Self {
        let length = form.len();
        let bytes = format!(
            "POST {path} HTTP/1.1\r\nhost: bench\r\n{headers}\
             content-type: application/x-www-form-urlencoded\r\ncontent-length: {length}\r\n\r\n{form}"
        );
        Self {
            bytes: bytes.into_bytes(),
            status: 200,
        }
    }

    /// The same, where another status than 200 is good.
    pub fn answered(self, status: u16) -> Self {
        Self { status, ..self }
    }
}

/// An answer as a whole.
pub struct Answer {
    /// The status line and the headers.
    pub head: String,
    /// The body, as it is packed.
    pub body: Vec<u8>,
}

impl Answer {
    /// A header's value.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().find_map(|line| {
            let (found, value) = line.split_once(':')?;
            found.eq_ignore_ascii_case(name).then(|| value.trim())
        })
    }

    /// The body as text, unpacked where it is packed.
    pub fn text(&self) -> String {
        if self.header("content-encoding") != Some("gzip") {
            return String::from_utf8(self.body.clone()).unwrap();
        }
        let mut text = String::new();
        let mut unpacked = flate2::read::GzDecoder::new(self.body.as_slice());
        std::io::Read::read_to_string(&mut unpacked, &mut text).unwrap();
        text
    }
}

/// Where an answer's parts lie in the buffer.
struct Extent {
    head: usize,
    /// The parts of the body, as start and end.
    parts: Vec<(usize, usize)>,
}

/// A connection that stays open.
struct Connection {
    stream: TcpStream,
    buffer: Vec<u8>,
    filled: usize,
}

impl Connection {
    async fn open(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address).await.unwrap();
        stream.set_nodelay(true).unwrap();
        Self {
            stream,
            buffer: vec![0; READ_BYTES],
            filled: 0,
        }
    }

    /// Sends a request and waits for the end of its answer.
    async fn ask(&mut self, request: &Request) -> Extent {
        let mut rest = request.bytes.as_slice();
        while !rest.is_empty() {
            self.stream.writable().await.unwrap();
            match self.stream.try_write(rest) {
                Ok(written) => rest = rest.get(written..).unwrap(),
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                Err(error) => panic!("can't send: {error}"),
            }
        }
        self.filled = 0;
        let head = loop {
            self.read().await;
            if let Some(end) = find(self.bytes(), b"\r\n\r\n") {
                break end + 4;
            }
        };
        let text = std::str::from_utf8(self.bytes().get(..head).unwrap()).unwrap();
        let status: u16 = text.get(9..12).unwrap().parse().unwrap();
        assert_eq!(status, request.status, "unexpected answer: {text}");
        let header = |wanted: &str| {
            text.lines().find_map(|line| {
                let (name, value) = line.split_once(':')?;
                name.eq_ignore_ascii_case(wanted).then(|| value.trim())
            })
        };
        if header("transfer-encoding") == Some("chunked") {
            let parts = self.chunks(head).await;
            return Extent { head, parts };
        }
        let length: usize = header("content-length").map_or(0, |text| text.parse().unwrap());
        while self.filled < head + length {
            self.read().await;
        }
        let parts = vec![(head, head + length)];
        Extent { head, parts }
    }

    /// Reads chunks from `at` to the empty one that ends the body.
    async fn chunks(&mut self, mut at: usize) -> Vec<(usize, usize)> {
        let mut parts = Vec::new();
        loop {
            let line = loop {
                if let Some(line) = find(self.bytes().get(at..).unwrap(), b"\r\n") {
                    break line;
                }
                self.read().await;
            };
            let digits = std::str::from_utf8(self.bytes().get(at..at + line).unwrap()).unwrap();
            let length = usize::from_str_radix(digits.trim(), 16).unwrap();
            let start = at + line + 2;
            at = start + length + 2;
            while self.filled < at {
                self.read().await;
            }
            if length == 0 {
                return parts;
            }
            parts.push((start, start + length));
        }
    }

    async fn read(&mut self) {
        if self.buffer.len() - self.filled < READ_BYTES {
            self.buffer.resize(self.filled + 2 * READ_BYTES, 0);
        }
        loop {
            self.stream.readable().await.unwrap();
            match self
                .stream
                .try_read(self.buffer.get_mut(self.filled..).unwrap())
            {
                Ok(0) => panic!("the server hung up"),
                Ok(read) => {
                    self.filled += read;
                    return;
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                Err(error) => panic!("can't read: {error}"),
            }
        }
    }

    fn bytes(&self) -> &[u8] {
        self.buffer.get(..self.filled).unwrap()
    }
}

fn find(text: &[u8], wanted: &[u8]) -> Option<usize> {
    text.windows(wanted.len()).position(|part| part == wanted)
}

/// Asks once, on a connection of its own.
pub async fn ask(address: SocketAddr, request: &Request) -> Answer {
    let mut connection = Connection::open(address).await;
    let extent = connection.ask(request).await;
    let bytes = connection.bytes();
    let parts = extent.parts.iter();
    let body = parts.flat_map(|(start, end)| bytes.get(*start..*end).unwrap());
    Answer {
        head: String::from_utf8(bytes.get(..extent.head).unwrap().to_vec()).unwrap(),
        body: body.copied().collect(),
    }
}

/// What a round measured.
#[derive(Clone, Debug)]
pub struct Round {
    elapsed_micros: u64,
    /// How long answers took, in microseconds, the shortest first.
    micros: Vec<u32>,
}

impl Round {
    /// How many answers came.
    pub fn answers(&self) -> u64 {
        u64::try_from(self.micros.len()).unwrap()
    }

    /// Answers in a second.
    pub fn per_second(&self) -> u64 {
        self.answers() * 1_000_000 / self.elapsed_micros
    }

    /// The time within which so many of a thousand answers came, in microseconds.
    pub fn within_micros(&self, permille: usize) -> u32 {
        let place = (self.micros.len() * permille / 1000).min(self.micros.len() - 1);
        *self.micros.get(place).unwrap()
    }
}

/// Asks again and again on so many connections, each as soon as it has its answer, for `time`.
pub async fn drive(
    address: SocketAddr,
    request: &Request,
    connections: usize,
    time: Duration,
) -> Round {
    let mut open = Vec::new();
    for _ in 0..connections {
        open.push(Connection::open(address).await);
    }
    let start = Instant::now();
    let tasks: Vec<_> = open
        .into_iter()
        .map(|mut connection| {
            let request = request.clone();
            tokio::spawn(async move {
                let mut micros = Vec::new();
                while start.elapsed() < time {
                    let asked = Instant::now();
                    connection.ask(&request).await;
                    micros.push(u32::try_from(asked.elapsed().as_micros()).unwrap());
                }
                micros
            })
        })
        .collect();
    let mut micros = Vec::new();
    for task in tasks {
        micros.extend(task.await.unwrap());
    }
    let elapsed_micros = u64::try_from(start.elapsed().as_micros()).unwrap();
    micros.sort_unstable();
    Round {
        elapsed_micros,
        micros,
    }
}
