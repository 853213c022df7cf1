import Base
import CLinux
import Glibc

@testable import Net

/// A server that does to each of its connections what a test says, and then closes it.
final class FakeServer: Sendable {
    /// One accepted connection, blocking, on the server's own thread.
    struct Connection {
        fileprivate let socket: Int32

        /// Reads once.
        func read() {
            var bytes = [UInt8](repeating: 0, count: 65_536)
            unsafe bytes.withUnsafeMutableBytes { _ = unsafe System.receive(socket, into: $0) }
        }

        func send(_ text: String) {
            let bytes = Array(text.utf8)
            unsafe bytes.withUnsafeBytes { _ = unsafe System.send(socket, $0) }
        }
    }

    let address: SocketAddress
    private let pool: BlockingPool
    private let socket: Int32

    init(_ serve: @escaping @Sendable (Int, Connection) -> Void) throws {
        System.prepareProcess()
        let listening = try Listener.open(SocketAddress(.v4(0x7F00_0001), port: 0), shared: false)
        address = try System.localAddress(listening.number)
        let socket = listening.release()
        self.socket = socket
        _ = fcntl(socket, F_SETFL, fcntl(socket, F_GETFL, 0) & ~O_NONBLOCK)
        pool = BlockingPool(name: "fake", threads: 1, queueLimit: 1)
        _ = pool.submit {
            var index = 0
            while true {
                let accepted = accept(socket, nil, nil)
                if accepted < 0 { return }
                serve(index, Connection(socket: accepted))
                close(accepted)
                index += 1
            }
        }
    }

    deinit {
        // Wakes the thread that accepts.
        shutdown(socket, Int32(SHUT_RDWR))
        close(socket)
        pool.stop()
    }
}
