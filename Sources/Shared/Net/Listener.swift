import Base
import CLinux
import Glibc

/// Accepts connections on one loop; several listen at one address by SO_REUSEPORT, and the kernel
/// spreads the connections over them.
@safe final class Listener: ReadinessReceiver, @unchecked Sendable {
    // SAFETY: all that changes is touched on the loop alone.
    typealias Accept = (consuming FileDescriptor, SocketAddress) -> Void

    /// At most so many before the sockets that are open already get their turn.
    private static let batch = 64
    /// How long to wait when no descriptor is left: every one that closes would be taken at once.
    private static let backOff = Duration.milliseconds(100)

    private let socket: FileDescriptor
    private let loop: EventLoop
    private let log: Log
    private var accept: Accept?
    private var registration: EventLoop.Registration?
    private var retry: TimerToken?

    /// A listener for a socket that `open` made.
    init(_ socket: consuming FileDescriptor, loop: EventLoop, log: Log) {
        self.socket = socket
        self.loop = loop
        self.log = log
    }

    /// A socket that listens at `address`, of its own (`shared` false) or as a further one beside
    /// such a one.
    ///
    /// The first is bound without SO_REUSEPORT and gets it afterwards, since two processes of one
    /// user would otherwise share the port without ever knowing.
    static func open(
        _ address: SocketAddress, shared: Bool, backlog: Int32 = 4_096
    ) throws(SystemError) -> FileDescriptor {
        let v6 = address.ip.width == 128
        let socket = try System.socket(v6: v6)
        try System.set(socket.number, SOL_SOCKET, SO_REUSEADDR, 1)
        if v6 { try System.set(socket.number, Int32(IPPROTO_IPV6), IPV6_V6ONLY, 0) }
        if shared { try System.set(socket.number, SOL_SOCKET, SO_REUSEPORT, 1) }
        try System.bind(socket.number, address)
        if !shared { try System.set(socket.number, SOL_SOCKET, SO_REUSEPORT, 1) }
        // Accepted sockets inherit it.
        try System.set(socket.number, Int32(IPPROTO_TCP), TCP_NODELAY, 1)
        try System.listen(socket.number, backlog: backlog)
        return socket
    }

    /// Begins to accept; on its loop only.
    func start(accept: @escaping Accept) {
        self.accept = accept
        watch()
    }

    /// Accepts no more; on its loop only. The socket closes with the last reference.
    func stop() {
        if let retry { loop.cancel(retry) }
        retry = nil
        unwatch()
        accept = nil
    }

    private func watch() {
        do throws(SystemError) {
            registration = try loop.watch(socket.number, level: true, self)
        } catch {
            pause(error)
        }
    }

    private func unwatch() {
        if let registration { loop.unwatch(socket.number, registration) }
        registration = nil
    }

    func ready(_ readiness: Readiness) {
        for _ in 0..<Self.batch where registration != nil {
            switch System.accept(socket.number) {
            case .connection(let descriptor, let peer):
                accept?(FileDescriptor(owning: descriptor), peer)
            case .none: return
            case .gone: continue
            case .failed(let error):
                pause(error)
                return
            }
        }
    }

    private func pause(_ error: SystemError) {
        log.warning("cannot accept connections for a while", .reason(error.description))
        unwatch()
        retry = loop.schedule(after: Self.backOff) { [self] in
            retry = nil
            watch()
        }
    }
}
