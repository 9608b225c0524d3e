// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

// Netty with NIO and one thread: decoders for the frames, answers written as they come and flushed
// when the input at hand is used up.

import io.netty.bootstrap.ServerBootstrap;
import io.netty.buffer.ByteBuf;
import io.netty.channel.Channel;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelInboundHandlerAdapter;
import io.netty.channel.ChannelInitializer;
import io.netty.channel.ChannelOption;
import io.netty.channel.nio.NioEventLoopGroup;
import io.netty.channel.socket.SocketChannel;
import io.netty.channel.socket.nio.NioServerSocketChannel;
import io.netty.handler.codec.ByteToMessageDecoder;
import io.netty.handler.codec.LineBasedFrameDecoder;
import java.net.InetSocketAddress;
import java.nio.charset.StandardCharsets;
import java.util.List;

class netty_echo {
    static class Answer extends ChannelInboundHandlerAdapter {
        @Override
        public void channelRead(ChannelHandlerContext context, Object frame) {
            context.write(frame, context.voidPromise());
        }

        @Override
        public void channelReadComplete(ChannelHandlerContext context) {
            context.flush();
        }
    }

    static class CountedFrames extends ByteToMessageDecoder {
        private int missing = -1;

        @Override
        protected void decode(ChannelHandlerContext context, ByteBuf in, List<Object> out) {
            if (missing < 0) {
                int size = in.bytesBefore((byte) '\n');
                if (size < 0) {
                    return;
                }
                missing = Integer.parseInt(
                    in.toString(in.readerIndex() + 5, size - 5, StandardCharsets.US_ASCII));
                in.skipBytes(size + 1);
            }
            if (in.readableBytes() >= missing) {
                out.add(in.readRetainedSlice(missing));
                missing = -1;
            }
        }
    }

    public static void main(String[] arguments) throws Exception {
        boolean counted = arguments[0].equals("counted");
        ServerBootstrap bootstrap = new ServerBootstrap()
            .group(new NioEventLoopGroup(1))
            .channel(NioServerSocketChannel.class)
            .option(ChannelOption.SO_BACKLOG, 4096)
            .childOption(ChannelOption.TCP_NODELAY, true)
            .childHandler(new ChannelInitializer<SocketChannel>() {
                @Override
                protected void initChannel(SocketChannel channel) {
                    channel.pipeline().addLast(
                        counted ? new CountedFrames()
                                : new LineBasedFrameDecoder(65536, false, false),
                        new Answer());
                }
            });
        Channel listener = bootstrap.bind("127.0.0.1", 0).sync().channel();
        System.out.println(((InetSocketAddress) listener.localAddress()).getPort());
        listener.closeFuture().sync();
    }
}
