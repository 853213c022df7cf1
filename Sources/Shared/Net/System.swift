import Base
import CLinux
import Glibc

/// A system call that failed in a way that is not a bug of ours.
public struct SystemError: Error, Sendable, Equatable, CustomStringConvertible {
    /// The number of the error, as `errno` had it.
    public let code: Int32
    /// Which call.
    public let call: StaticString

    /// The failure `code` of `call`.
    public init(_ code: Int32, _ call: StaticString) {
        self.code = code
        self.call = call
    }

    /// Somebody else listens at this address.
    public var isAddressInUse: Bool { code == EADDRINUSE }

    // SAFETY: `strerror` returns a text that stays, at worst overwritten by another message.
    /// The call and the system's words for the error.
    public var description: String {
        guard let text = unsafe strerror(code) else { return "\(call): error \(code)" }
        return unsafe "\(call): \(String(cString: text))"
    }

    /// The same number of the same call.
    public static func == (a: SystemError, b: SystemError) -> Bool { a.code == b.code }
}

/// What reading or writing a non-blocking descriptor came to; no throw, since "not now" is ordinary.
enum Transfer: Equatable {
    /// So many bytes; zero read is the end.
    case bytes(Int)
    /// Nothing now; epoll will tell.
    case wouldBlock
    /// The other side is gone, or worse.
    case failed(SystemError)

    init(_ result: Int, _ call: StaticString) {
        if result >= 0 {
            self = .bytes(result)
        } else if result == -Int(EAGAIN) {
            self = .wouldBlock
        } else {
            self = .failed(SystemError(System.checked(Int32(-result)), call))
        }
    }
}

/// One wrapper for each system call of this module. All are synchronous leaves: see `CLinux`.
public enum System {
    /// Raises the soft limit of open files to the hard one, and has broken pipes reported as
    /// errors; for the start of a process. Returns how many files it may open.
    @discardableResult
    public static func prepareProcess() -> Int {
        reileta_ignore_sigpipe()
        return Int(clamping: reileta_raise_descriptors())
    }

    /// The monotonic clock.
    static func now() -> Instant { Instant(nanoseconds: reileta_monotonic()) }

    /// Traps on what only a bug of ours can cause.
    static func checked(_ code: Int32) -> Int32 {
        precondition(
            code != EBADF && code != EFAULT && code != ENOTSOCK, "a system call got \(code)")
        return code
    }

    private static func result(
        _ result: Int32, _ call: StaticString
    ) throws(SystemError) -> Int32 {
        guard result < 0 else { return result }
        throw SystemError(checked(-result), call)
    }

    static func socket(v6: Bool) throws(SystemError) -> FileDescriptor {
        FileDescriptor(owning: try result(reileta_socket(v6 ? 1 : 0), "socket"))
    }

    static func bind(_ socket: Int32, _ address: SocketAddress) throws(SystemError) {
        _ = try result(reileta_bind(socket, address.raw), "bind")
    }

    static func listen(_ socket: Int32, backlog: Int32) throws(SystemError) {
        _ = try result(reileta_listen(socket, backlog), "listen")
    }

    /// What a listening socket had to give.
    enum Accepted {
        case connection(Int32, SocketAddress)
        /// Nobody waits.
        case none
        /// Somebody waited and left.
        case gone
        case failed(SystemError)
    }

    // SAFETY: the address is filled before the call returns.
    static func accept(_ socket: Int32) -> Accepted {
        var raw = reileta_address()
        let result = unsafe reileta_accept(socket, &raw)
        switch -result {
        case ...0: return .connection(result, SocketAddress(raw))
        case EAGAIN: return .none
        case EMFILE, ENFILE, ENOBUFS, ENOMEM: return .failed(SystemError(-result, "accept4"))
        case _:
            // accept(2): errors of the network that came with the connection are reported here.
            _ = checked(-result)
            return .gone
        }
    }

    /// Whether the connection stands already; false: it is on its way.
    static func connect(_ socket: Int32, _ address: SocketAddress) throws(SystemError) -> Bool {
        let code = reileta_connect(socket, address.raw)
        if code == -EINPROGRESS { return false }
        _ = try result(code, "connect")
        return true
    }

    /// How a connect that was on its way ended.
    static func connectError(_ socket: Int32) -> SystemError? {
        let code = reileta_socket_error(socket)
        return code == 0 ? nil : SystemError(code, "connect")
    }

    // SAFETY: the address is filled before the call returns.
    static func localAddress(_ socket: Int32) throws(SystemError) -> SocketAddress {
        var raw = reileta_address()
        _ = try unsafe result(reileta_local_address(socket, &raw), "getsockname")
        return SocketAddress(raw)
    }

    // SAFETY: as above.
    static func peerAddress(_ socket: Int32) throws(SystemError) -> SocketAddress {
        var raw = reileta_address()
        _ = try unsafe result(reileta_peer_address(socket, &raw), "getpeername")
        return SocketAddress(raw)
    }

    static func set(
        _ socket: Int32, _ level: Int32, _ option: Int32, _ value: Int32
    ) throws(SystemError) {
        _ = try result(reileta_set_option(socket, level, option, value), "setsockopt")
    }

    /// Closes with a reset, which spares the other side and us a state that nobody waits for.
    static func resetOnClose(_ socket: Int32) {
        _ = reileta_reset_on_close(socket)
    }

    static func shutdownWriting(_ socket: Int32) {
        _ = reileta_shutdown_writing(socket)
    }

    // SAFETY: the kernel writes within the buffer that it is given, and only during the call.
    static func receive(_ socket: Int32, into buffer: UnsafeMutableRawBufferPointer) -> Transfer {
        unsafe Transfer(reileta_recv(socket, buffer.baseAddress, buffer.count), "recv")
    }

    // SAFETY: the kernel reads within the buffer, and only during the call.
    static func send(_ socket: Int32, _ bytes: UnsafeRawBufferPointer) -> Transfer {
        unsafe Transfer(reileta_send(socket, bytes.baseAddress, bytes.count), "send")
    }

    // SAFETY: each part points into memory that the caller keeps for the length of the call.
    static func send(_ socket: Int32, _ parts: UnsafeMutableBufferPointer<iovec>) -> Transfer {
        unsafe Transfer(reileta_send_vector(socket, parts.baseAddress, parts.count), "sendmsg")
    }

    static func sendFile(_ socket: Int32, from file: Int32, at offset: Int64, count: Int)
        -> Transfer
    {
        Transfer(reileta_sendfile(socket, file, offset, count), "sendfile")
    }

    // SAFETY: as `receive`.
    static func read(
        _ file: Int32, at offset: Int64, into buffer: UnsafeMutableRawBufferPointer
    ) -> Transfer {
        unsafe Transfer(reileta_pread(file, buffer.baseAddress, buffer.count, offset), "pread")
    }

    static func makeEpoll() throws(SystemError) -> FileDescriptor {
        FileDescriptor(owning: try result(reileta_epoll_create(), "epoll_create1"))
    }

    static func makeEvent() throws(SystemError) -> FileDescriptor {
        FileDescriptor(owning: try result(reileta_eventfd(), "eventfd"))
    }

    static func watch(
        _ epoll: Int32, _ descriptor: Int32, events: UInt32, data: UInt64
    ) throws(SystemError) {
        _ = try result(
            reileta_epoll_control(epoll, EPOLL_CTL_ADD, descriptor, events, data), "epoll_ctl")
    }

    static func unwatch(_ epoll: Int32, _ descriptor: Int32) {
        _ = reileta_epoll_control(epoll, EPOLL_CTL_DEL, descriptor, 0, 0)
    }
}
