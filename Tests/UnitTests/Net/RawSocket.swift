import Base
import CLinux
import Glibc

@testable import Net

/// A plain blocking socket that says exactly what a test wants to be said. Reads end after five
/// seconds, so that a test that waits for what never comes fails. They block threads of their own:
/// those of the tests are few, and shared.
final class RawSocket: Sendable {
    private static let pool = BlockingPool(name: "sockets", threads: 64, queueLimit: 1_000)
    private let socket: Int32

    init(_ address: SocketAddress, receiveBuffer: Int32? = nil) throws {
        let descriptor = try System.socket(v6: address.ip.width == 128)
        socket = descriptor.release()
        if let receiveBuffer { try System.set(socket, SOL_SOCKET, SO_RCVBUF, receiveBuffer) }
        let flags = fcntl(socket, F_GETFL, 0)
        _ = fcntl(socket, F_SETFL, flags & ~O_NONBLOCK)
        var time = timeval(tv_sec: 5, tv_usec: 0)
        unsafe setsockopt(
            socket, SOL_SOCKET, SO_RCVTIMEO, &time, socklen_t(MemoryLayout<timeval>.size))
        unsafe setsockopt(
            socket, SOL_SOCKET, SO_SNDTIMEO, &time, socklen_t(MemoryLayout<timeval>.size))
        guard try System.connect(socket, address) else { throw SystemError(EINPROGRESS, "connect") }
    }

    deinit { close(socket) }

    /// False when the other side takes no more.
    @discardableResult
    func send(_ text: String) -> Bool { send(Array(text.utf8)) }

    @discardableResult
    func send(_ bytes: [UInt8]) -> Bool {
        unsafe bytes.withUnsafeBytes { buffer in
            var start = 0
            while start < buffer.count {
                let part = unsafe UnsafeRawBufferPointer(rebasing: buffer[start...])
                guard case .bytes(let count) = unsafe System.send(socket, part) else {
                    return false
                }
                start += count
            }
            return true
        }
    }

    /// Some bytes; none at the end; nil when nothing came in time or the connection was reset.
    func receive(upTo limit: Int = 65_536) async throws -> [UInt8]? {
        try await Self.pool.run { self.receiveNow(upTo: limit) }
    }

    func receiveNow(upTo limit: Int = 65_536) -> [UInt8]? {
        var result: Transfer = .wouldBlock
        let bytes = unsafe [UInt8](unsafeUninitializedCapacity: limit) { buffer, count in
            unsafe result = System.receive(socket, into: UnsafeMutableRawBufferPointer(buffer))
            if case .bytes(let length) = result { count = length } else { count = 0 }
        }
        if case .bytes = result { return bytes }
        return nil
    }

    /// Everything until the other side closes; nil when it does not.
    func receiveAll() async throws -> String? {
        var all: [UInt8] = []
        while let bytes = try await receive() {
            if bytes.isEmpty { return String(decoding: all, as: UTF8.self) }
            all += bytes
        }
        return nil
    }

    /// Reads until `text` has come.
    func receive(until text: String) async throws -> String? {
        var all = ""
        while !all.contains(text) {
            guard let bytes = try await receive(), !bytes.isEmpty else { return nil }
            all += String(decoding: bytes, as: UTF8.self)
        }
        return all
    }

    func shutdownWriting() { System.shutdownWriting(socket) }

    func reset() { System.resetOnClose(socket) }
}
