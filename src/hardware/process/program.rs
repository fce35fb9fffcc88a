//! A program behind pipes that never block.

use crate::annealing::Cancellation;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::{Errno, ioctl_fionbio};
use rustix::process::{Pid, Signal, kill_process_group};
use std::io::{self, ErrorKind, Read, Write};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::{Child, ChildStderr, ChildStdin, ChildStdout, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

/// So much of the end of standard error is kept.
const TAIL: usize = 2000;

/// So much is read at once.
const CHUNK: usize = 1 << 16;

/// How long the last words of a program may take.
const LAST_WORDS: Duration = Duration::from_millis(200);

/// How long a wait goes on before the switch is looked at.
const GLANCE: Duration = Duration::from_millis(20);

/// Why there is no answer.
#[derive(Debug)]
pub(super) enum Trouble {
    Timeout,
    Cancelled,
    /// The program closed its end of a pipe, mostly by its own end.
    Closed,
    TooLong(usize),
    /// An answer to a request that was not read to its end.
    Early,
    Io(io::Error),
}

impl From<io::Error> for Trouble {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

/// How long the caller waits.
#[derive(Debug, Clone, Copy)]
pub(super) struct Patience<'a> {
    pub end: Instant,
    pub cancellation: Option<&'a Cancellation>,
}

impl Patience<'_> {
    /// The time for which nothing needs to be looked at.
    fn pause(&self) -> Result<Duration, Trouble> {
        if self.cancellation.is_some_and(Cancellation::is_cancelled) {
            return Err(Trouble::Cancelled);
        }
        let left = self.end.saturating_duration_since(Instant::now());
        match left.is_zero() {
            true => Err(Trouble::Timeout),
            false if self.cancellation.is_some() => Ok(left.min(GLANCE)),
            false => Ok(left),
        }
    }
}

/// A running program. It is killed when this is dropped, and with it what it started.
#[derive(Debug)]
pub(super) struct Program {
    child: Child,
    stdin: ChildStdin,
    stdout: ChildStdout,
    /// Until its end.
    stderr: Option<ChildStderr>,
    /// What came from standard output and was not taken yet.
    received: Vec<u8>,
    /// The end of what came from standard error.
    tail: Vec<u8>,
    has_ended: bool,
}

impl Program {
    /// Starts a program as the leader of a group of its own.
    pub fn start(command: &mut Command) -> io::Result<Self> {
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.process_group(0).spawn()?;
        let pipes = (child.stdin.take(), child.stdout.take(), child.stderr.take());
        let (Some(stdin), Some(stdout), Some(stderr)) = pipes else {
            return Err(io::Error::other("a pipe is missing"));
        };
        let (stderr, received, tail) = (Some(stderr), Vec::new(), Vec::new());
        let program = Self { child, stdin, stdout, stderr, received, tail, has_ended: false };
        ioctl_fionbio(&program.stdin, true)?;
        ioctl_fionbio(&program.stdout, true)?;
        program.stderr.iter().try_for_each(|stderr| ioctl_fionbio(stderr, true))?;
        Ok(program)
    }

    /// Writes a request, and reads a line of at most `limit` bytes, without its end.
    pub fn exchange(
        &mut self,
        request: &[u8],
        limit: usize,
        mut patience: Patience,
    ) -> Result<Vec<u8>, Trouble> {
        let (mut rest, mut searched, mut is_deaf) = (request, 0, false);
        loop {
            if let Some(line) = self.line(&mut searched) {
                return if rest.is_empty() { Ok(line) } else { Err(Trouble::Early) };
            }
            if searched > limit {
                return Err(Trouble::TooLong(limit));
            }
            let pause = match patience.pause() {
                Err(Trouble::Timeout) if is_deaf => return Err(Trouble::Closed),
                pause => pause?,
            };
            self.wait(!rest.is_empty(), pause)?;
            match ready(if rest.is_empty() { Ok(0) } else { self.stdin.write(rest) }) {
                Ok(n) => rest = &rest[n.unwrap_or(0)..],
                // It may have said why it listens no longer.
                Err(error) if error.kind() == ErrorKind::BrokenPipe => {
                    (rest, is_deaf) = (&[], true);
                    patience.end = patience.end.min(Instant::now() + LAST_WORDS);
                }
                Err(error) => return Err(error.into()),
            }
            self.listen()?;
            self.receive()?;
        }
    }

    /// The first line of what came, without its end; `searched` bytes have none.
    fn line(&mut self, searched: &mut usize) -> Option<Vec<u8>> {
        let end = self.received[*searched..].iter().position(|&b| b == b'\n');
        let Some(length) = end else {
            *searched = self.received.len();
            return None;
        };
        let mut line: Vec<u8> = self.received.drain(..=*searched + length).collect();
        line.pop();
        Some(line)
    }

    /// Takes some of what is there of standard output.
    fn receive(&mut self) -> Result<(), Trouble> {
        let mut buffer = [0; CHUNK];
        match ready(self.stdout.read(&mut buffer))? {
            Some(0) => Err(Trouble::Closed),
            n => {
                self.received.extend(&buffer[..n.unwrap_or(0)]);
                Ok(())
            }
        }
    }

    /// Waits until a pipe can be used, or the time is over.
    fn wait(&self, writes: bool, time: Duration) -> io::Result<()> {
        let mut pipes = vec![PollFd::new(&self.stdout, PollFlags::IN)];
        pipes.extend(self.stderr.iter().map(|stderr| PollFd::new(stderr, PollFlags::IN)));
        if writes {
            pipes.push(PollFd::new(&self.stdin, PollFlags::OUT));
        }
        // A time too long for the system is without end to everybody.
        let time = Timespec::try_from(time).ok();
        match poll(&mut pipes, time.as_ref()) {
            Ok(_) | Err(Errno::INTR) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    /// Takes some of what is there of standard error, which may be without end.
    fn listen(&mut self) -> io::Result<()> {
        let mut buffer = [0; CHUNK];
        let Some(stderr) = &mut self.stderr else { return Ok(()) };
        match ready(stderr.read(&mut buffer))? {
            Some(0) => self.stderr = None,
            n => {
                self.tail.extend(&buffer[..n.unwrap_or(0)]);
                self.tail.drain(..self.tail.len().saturating_sub(TAIL));
            }
        }
        Ok(())
    }

    /// Ends the program, and returns in words how it ended and what it said last.
    pub fn last_words(mut self) -> String {
        let end = Instant::now() + LAST_WORDS;
        while self.listen().is_ok() && self.stderr.is_some() && Instant::now() < end {
            std::thread::sleep(Duration::from_millis(2));
        }
        // Its pipes close a moment before its status is known.
        std::thread::sleep(Duration::from_millis(10));
        let how = match self.end() {
            Some(status) if !is_kill(status) => format!("; it ended with {status}"),
            _ => String::new(),
        };
        match String::from_utf8_lossy(&self.tail).trim() {
            "" => format!("{how}; nothing on its standard error"),
            said => format!("{how}; its standard error ends: {said}"),
        }
    }

    /// Kills it, unless it has ended.
    fn end(&mut self) -> Option<ExitStatus> {
        self.has_ended = true;
        // The group is killed before its leader is waited for, while its number is its own.
        if let Some(group) = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw) {
            let _ = kill_process_group(group, Signal::KILL);
        }
        let _ = self.child.kill();
        self.child.wait().ok()
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        // Afterwards its number may be that of another process.
        if !self.has_ended {
            self.end();
        }
    }
}

fn is_kill(status: ExitStatus) -> bool {
    status.signal() == Some(Signal::KILL.as_raw())
}

/// Nothing, where the pipe would have had to wait.
fn ready(done: io::Result<usize>) -> io::Result<Option<usize>> {
    match done {
        Ok(n) => Ok(Some(n)),
        Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) => {
            Ok(None)
        }
        Err(error) => Err(error),
    }
}
