// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

// tokio on one thread: LinesCodec, answers fed into the sink and flushed when no more input is at
// hand; counted frames by read_exact into a buffer.
use futures::{FutureExt, SinkExt, StreamExt};
use std::error::Error;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader, BufWriter};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::codec::{Framed, LinesCodec};

type Outcome = Result<(), Box<dyn Error>>;

async fn echo_lines(stream: TcpStream) -> Outcome {
    let mut lines = Framed::new(stream, LinesCodec::new());
    while let Some(line) = lines.next().await {
        lines.feed(line?).await?;
        while let Some(Some(line)) = lines.next().now_or_never() {
            lines.feed(line?).await?;
        }
        SinkExt::<String>::flush(&mut lines).await?;
    }
    Ok(())
}

async fn echo_frames(mut stream: TcpStream) -> Outcome {
    let (input, output) = stream.split();
    let mut input = BufReader::with_capacity(65536, input);
    let mut output = BufWriter::with_capacity(65536, output);
    let mut header = String::new();
    let mut frame = Vec::new();
    while input.read_line(&mut header).await? > 0 {
        frame.resize(header[5..].trim_end().parse()?, 0);
        header.clear();
        input.read_exact(&mut frame).await?;
        output.write_all(&frame).await?;
        if input.buffer().is_empty() {
            output.flush().await?;
        }
    }
    Ok(())
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Outcome {
    let counted = match std::env::args().nth(1).as_deref() {
        Some("lines") => false,
        Some("counted") => true,
        _ => return Err("usage: tokio_echo lines|counted".into()),
    };
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    println!("{}", listener.local_addr()?.port());
    loop {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        tokio::spawn(async move {
            // A connection that fails is over, as is one that ends.
            let _ = if counted { echo_frames(stream).await } else { echo_lines(stream).await };
        });
    }
}
