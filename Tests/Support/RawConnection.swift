import Base
import Glibc
import Net

/// A plain blocking socket that says exactly what a test wants to be said, for what no client of
/// ours would send. All of it blocks threads of its own.
public final class RawConnection: Sendable {
    private let socket: Int32

    /// Connects to an address of this machine.
    public init(_ address: SocketAddress) async throws {
        let port = address.port
        let number = await TestLoops.blocking { RawSocket.connect(port: port) }
        guard number >= 0 else { throw NeverCame("nobody listens at \(address)") }
        socket = number
    }

    deinit { Glibc.close(socket) }

    /// Sends; false when the other side takes no more.
    @discardableResult
    public func send(_ text: String) async -> Bool { await send(Array(text.utf8)) }

    /// Sends; false when the other side takes no more.
    @discardableResult
    public func send(_ bytes: [UInt8]) async -> Bool {
        let socket = socket
        return await TestLoops.blocking { RawSocket.send(socket, bytes) }
    }

    /// All that comes until the other side closes; nil when it has not by then.
    public func receiveAll(within deadline: Duration = .seconds(15)) async -> String? {
        let socket = socket
        let end = SystemClock().now() + deadline
        return await TestLoops.blocking {
            var all: [UInt8] = []
            while SystemClock().now() < end {
                switch RawSocket.receive(socket, wait: 100) {
                case .bytes(let bytes): all += bytes
                case .end, .failed: return String(decoding: all, as: UTF8.self)
                case .nothing: break
                }
            }
            return nil
        }
    }

    /// What comes until `text` has come; nil when it does not.
    public func receive(
        until text: String, within deadline: Duration = .seconds(15)
    ) async -> String? {
        let socket = socket
        let end = SystemClock().now() + deadline
        return await TestLoops.blocking {
            var all = ""
            while SystemClock().now() < end {
                switch RawSocket.receive(socket, wait: 100) {
                case .bytes(let bytes):
                    all += String(decoding: bytes, as: UTF8.self)
                    if all.contains(text) { return all }
                case .end, .failed: return nil
                case .nothing: break
                }
            }
            return nil
        }
    }

    /// Says that no more comes.
    public func shutdownWriting() { shutdown(socket, Int32(SHUT_WR)) }

    /// Breaks off without a word: the other side sees a reset.
    public func reset() { RawSocket.reset(socket) }
}

/// The calls below `RawConnection` and `FaultProxy`.
enum RawSocket {
    enum Received {
        case bytes([UInt8])
        case nothing, end, failed
    }

    // SAFETY: each address and buffer lives on the stack, or in the array, for as long as its call.
    static func connect(port: UInt16) -> Int32 {
        let number = Glibc.socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        guard number >= 0 else { return -1 }
        var address = loopback(port)
        let size = socklen_t(MemoryLayout<sockaddr_in>.size)
        let result = unsafe withUnsafePointer(to: &address) { pointer in
            unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                unsafe Glibc.connect(number, $0, size)
            }
        }
        guard result == 0 else {
            close(number)
            return -1
        }
        var on: Int32 = 1
        unsafe setsockopt(number, Int32(IPPROTO_TCP), TCP_NODELAY, &on, 4)
        return number
    }

    static func listen() -> (socket: Int32, port: UInt16) {
        let number = Glibc.socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        precondition(number >= 0, "no socket")
        var address = loopback(0)
        var size = socklen_t(MemoryLayout<sockaddr_in>.size)
        let bound = unsafe withUnsafeMutablePointer(to: &address) { pointer in
            unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                unsafe bind(number, $0, size) == 0 && Glibc.listen(number, 128) == 0
                    && getsockname(number, $0, &size) == 0
            }
        }
        precondition(bound, "no port for a listener")
        return (number, UInt16(bigEndian: address.sin_port))
    }

    static func accept(_ socket: Int32) -> Int32 { Glibc.accept(socket, nil, nil) }

    static func send(_ socket: Int32, _ bytes: [UInt8]) -> Bool {
        var start = 0
        while start < bytes.count {
            let sent = unsafe bytes.withUnsafeBytes { buffer in
                let rest = unsafe UnsafeRawBufferPointer(rebasing: buffer[start...])
                return unsafe Glibc.send(
                    socket, rest.baseAddress, rest.count, Int32(MSG_NOSIGNAL))
            }
            guard sent > 0 else { return false }
            start += sent
        }
        return true
    }

    /// What is there within `wait` milliseconds.
    static func receive(_ socket: Int32, wait: Int32) -> Received {
        var entry = pollfd(fd: socket, events: Int16(POLLIN), revents: 0)
        guard unsafe poll(&entry, 1, wait) > 0 else { return .nothing }
        var count = 0
        let bytes = unsafe [UInt8](unsafeUninitializedCapacity: 65_536) { buffer, length in
            unsafe count = recv(socket, buffer.baseAddress, 65_536, 0)
            length = max(0, count)
        }
        return count > 0 ? .bytes(bytes) : count == 0 ? .end : .failed
    }

    static func reset(_ socket: Int32) {
        var option = linger(l_onoff: 1, l_linger: 0)
        unsafe setsockopt(
            socket, SOL_SOCKET, SO_LINGER, &option, socklen_t(MemoryLayout<linger>.size))
        shutdown(socket, Int32(SHUT_RDWR))
    }

    private static func loopback(_ port: UInt16) -> sockaddr_in {
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = port.bigEndian
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        return address
    }
}
