import Base
import CLinux
import Crypto
import Glibc

@testable import Net

/// A server that does to each of its connections what a test says, and then closes it.
final class FakeServer: Sendable {
    /// One accepted connection, blocking, on the server's own thread.
    struct Connection {
        fileprivate let socket: Int32

        /// Reads once; nothing at the end.
        @discardableResult
        func read() -> [UInt8] {
            var bytes = [UInt8](repeating: 0, count: 65_536)
            let got = unsafe bytes.withUnsafeMutableBytes {
                unsafe System.receive(socket, into: $0)
            }
            if case .bytes(let count) = got { return Array(bytes[..<count]) }
            return []
        }

        func send(_ text: String) { send(Array(text.utf8)) }

        func send(_ bytes: [UInt8]) {
            unsafe bytes.withUnsafeBytes { _ = unsafe System.send(socket, $0) }
        }

        /// Answers so many requests over TLS; reads one more, and says no goodbye.
        func speak(
            _ tls: TLSServerConfiguration, answers: Int, _ answer: (Int) -> String
        ) {
            var machine = TLSMachine(server: tls)
            var answered = 0
            while true {
                let bytes = read()
                if bytes.isEmpty { return }
                machine.receive(bytes.span)
                while machine.next() != nil {}
                var request = ByteWriter()
                machine.read(into: &request)
                if !request.array().isEmpty {
                    if answered == answers { return }
                    machine.write(Array(answer(answered).utf8).span)
                    answered += 1
                }
                var output = ByteWriter()
                machine.takeOutput(into: &output)
                send(output.array())
            }
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
