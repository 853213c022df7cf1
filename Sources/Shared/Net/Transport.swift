import Base
import CLinux
import Crypto
import Glibc
import HTTP

/// One connected socket, its TLS if it has any, and what waits to be written. It decides nothing:
/// the connection that owns it reads when it wants bytes and flushes when it has written.
///
/// What waits is one stream: the bytes of `output`, with shared frames and parts of files put in
/// between by position, which leave by `sendmsg` and `sendfile` without a copy. With TLS all of it
/// is ciphertext in `output`. A transport with nothing to write holds no buffer.
@safe struct Transport: ~Copyable, @unchecked Sendable {
    // SAFETY: `socket` is closed exactly once and never lent; pointers into `output` and into
    // shared arrays are used for the length of one system call, during which nothing changes them.

    /// What `receive` found.
    enum Received {
        /// Bytes came (perhaps of a handshake alone); there may be more.
        case bytes
        /// Nothing now; `ready` will be called.
        case nothing
        /// The peer sends no more.
        case ended
        /// The connection is broken.
        case failed
    }

    /// How far `flush` came.
    enum Flushed {
        /// Nothing waits.
        case done
        /// The rest waits for the peer.
        case blocked
        /// All was written behind which the connection was to be closed.
        case close
        /// The connection is broken.
        case failed
    }

    private enum Piece {
        case shared(ArraySlice<UInt8>)
        case file(any OpenFile, Range<Int64>)
    }

    private struct Insert {
        /// Before which byte of `output`.
        var position: Int
        var piece: Piece
    }

    private enum Ending {
        case none
        case shutdown
        case close
    }

    /// Below it copying is cheaper than one more part of a vector.
    private static let copyLimit = 256
    /// Parts of one vectored write.
    private static let vectorLimit = 64

    let loop: EventLoop
    let peer: SocketAddress
    private var socket: Int32
    private var registration: EventLoop.Registration?
    private var tls: TLSMachine?
    /// Whether the handshake is done; at once without TLS.
    private(set) var isReady: Bool
    /// What TLS found wrong, if it did.
    private(set) var tlsError: TLSError?
    private var mayRead = false
    private var mayWrite = true
    private var peerClosed = false
    private var tlsEnded = false
    private var ending = Ending.none
    private var output = ByteWriter()
    private var written = 0
    private var inserts: [Insert] = []
    private var insertHead = 0
    private var insertBytes = 0
    /// When the kernel last took something, or something was first left waiting.
    private(set) var progress: Instant

    /// A socket that is connected, or about to be.
    init(
        _ socket: consuming FileDescriptor, loop: EventLoop, peer: SocketAddress,
        tls: consuming TLSMachine? = nil
    ) {
        self.loop = loop
        self.peer = peer
        self.socket = socket.release()
        isReady = tls == nil
        self.tls = tls
        progress = loop.now()
    }

    /// What is left where a transport was taken away.
    private init(closed loop: EventLoop, peer: SocketAddress) {
        self.loop = loop
        self.peer = peer
        socket = -1
        isReady = false
        tls = nil
        progress = loop.now()
    }

    deinit {
        if socket >= 0 { _ = reileta_close(socket) }
    }

    /// Hands the socket to a new owner, which has to `watch` it.
    mutating func take() -> Transport {
        var taken = Transport(closed: loop, peer: peer)
        swap(&taken, &self)
        return taken
    }

    var isClosed: Bool { socket < 0 }
    var isSecure: Bool { tls != nil }

    /// Bytes that were given and that the kernel has not taken.
    var pending: Int { output.count - written + insertBytes }

    /// Has `owner` told when the socket is ready.
    mutating func watch(_ owner: any ReadinessReceiver) throws(SystemError) {
        if let registration {
            loop.replace(registration, owner)
        } else {
            registration = try loop.watch(socket, owner)
        }
    }

    /// Remembers what epoll saw. False: the connection is broken.
    mutating func note(_ readiness: Readiness) -> Bool {
        if !readiness.isDisjoint(with: [.readable, .peerClosed, .gone]) { mayRead = true }
        if !readiness.isDisjoint(with: [.peerClosed, .gone]) { peerClosed = true }
        if readiness.contains(.writable) { mayWrite = true }
        return !readiness.contains(.failed)
    }

    /// Whether everything arrived but was not read yet, so that a `gone` peer still has to say.
    var mayHaveBytes: Bool { mayRead }

    /// How a connect that was on its way ended.
    func connectError() -> SystemError? { System.connectError(socket) }

    /// The address at the other end, as the kernel has it.
    func connectedPeer() throws(SystemError) -> SocketAddress { try System.peerAddress(socket) }

    /// Finds dead peers of connections over which nothing need ever be said.
    func keepAlive() {
        do throws(SystemError) {
            try System.set(socket, SOL_SOCKET, SO_KEEPALIVE, 1)
            try System.set(socket, Int32(IPPROTO_TCP), TCP_KEEPIDLE, 60)
            try System.set(socket, Int32(IPPROTO_TCP), TCP_KEEPINTVL, 20)
            try System.set(socket, Int32(IPPROTO_TCP), TCP_KEEPCNT, 3)
        } catch {
            // A connection that is broken already is found so by the next read.
        }
    }

    /// Reads once and shows the bytes to `take`, with whatever it needs.
    mutating func receive<Taker: ~Copyable>(
        _ taker: inout Taker, _ take: (inout Taker, Span<UInt8>) -> Void
    ) -> Received {
        if tlsEnded { return .ended }
        guard mayRead, socket >= 0 else { return .nothing }
        switch unsafe System.receive(socket, into: loop.scratch) {
        case .bytes(0):
            mayRead = false
            guard tls != nil else { return .ended }
            tls?.receiveEnd()
            return drainTLS(&taker, take)
        case .bytes(let count):
            // A short read emptied the socket, and what comes later is a new edge; unless the end
            // was seen already, for which there is no other edge.
            if count < EventLoop.scratchSize, !peerClosed { mayRead = false }
            let bytes = unsafe UnsafeRawBufferPointer(rebasing: loop.scratch[..<count])
            let span = unsafe Span<UInt8>(_unsafeElements: bytes.bindMemory(to: UInt8.self))
            guard tls != nil else {
                take(&taker, span)
                return .bytes
            }
            tls?.receive(span)
            return drainTLS(&taker, take)
        case .wouldBlock:
            mayRead = false
            return .nothing
        case .failed:
            return .failed
        }
    }

    private mutating func drainTLS<Taker: ~Copyable>(
        _ taker: inout Taker, _ take: (inout Taker, Span<UInt8>) -> Void
    ) -> Received {
        let loop = loop
        while let effect = tls?.next() {
            switch effect {
            case .handshakeDone: isReady = true
            case .plaintext: tls?.read(into: &loop.plaintext.received)
            case .closed: tlsEnded = true
            case .failed(let error): tlsError = error
            }
        }
        takeCiphertext()
        if !loop.plaintext.received.isEmpty {
            loop.plaintext.received.withSpan { take(&taker, $0) }
            loop.plaintext.received.removeAll()
        }
        if tlsError != nil {
            // The alert that says why, if it still gets through.
            _ = flush()
            return .failed
        }
        return .bytes
    }

    /// Begins a client's handshake.
    mutating func startTLS() { takeCiphertext() }

    private mutating func takeCiphertext() {
        guard tls?.hasOutput == true else { return }
        borrowBuffer()
        tls?.takeOutput(into: &output)
    }

    /// Appends what `fill` writes, with whatever it needs for that.
    mutating func write<Writer: ~Copyable, Result, Failure: Error>(
        _ writer: inout Writer,
        _ fill: (inout Writer, inout ByteWriter) throws(Failure) -> Result
    ) throws(Failure) -> Result {
        if tls == nil {
            borrowBuffer()
            return try fill(&writer, &output)
        }
        defer { encrypt(loop) }
        return try fill(&writer, &loop.plaintext.toSend)
    }

    /// Appends what `fill` writes.
    mutating func write(_ fill: (inout ByteWriter) -> Void) {
        var nothing: Void = ()
        write(&nothing) { _, output in fill(&output) }
    }

    private mutating func encrypt(_ loop: EventLoop) {
        if loop.plaintext.toSend.isEmpty { return }
        loop.plaintext.toSend.withSpan { tls?.write($0) }
        loop.plaintext.toSend.removeAll()
        takeCiphertext()
    }

    /// Appends bytes that stay where they are until they are written.
    mutating func write(shared bytes: ArraySlice<UInt8>) {
        if tls == nil, bytes.count > Self.copyLimit {
            insert(.shared(bytes), bytes.count)
        } else {
            write { $0.append(bytes) }
        }
    }

    /// Appends frames that are shared with others: written at once without a copy when nothing
    /// else waits, else as above; under TLS as one record.
    mutating func write(shared parts: [ArraySlice<UInt8>]) {
        if tls != nil {
            write { output in
                for part in parts { output.append(part) }
            }
            return
        }
        for part in parts where !part.isEmpty { write(shared: part) }
    }

    /// Appends a part of a file; without TLS only.
    mutating func write(file: any OpenFile, _ range: Range<Int64>) {
        precondition(tls == nil, "sendfile under TLS")
        if !range.isEmpty { insert(.file(file, range), Int(range.upperBound - range.lowerBound)) }
    }

    /// Reads a part of a file and encrypts it: for what goes through TLS. Returns how many bytes
    /// were there, nil when the disk failed.
    mutating func encrypt(file: any OpenFile, at offset: Int64, upTo limit: Int) -> Int? {
        let buffer = unsafe UnsafeMutableRawBufferPointer(
            rebasing: loop.scratch[..<min(limit, EventLoop.scratchSize)])
        guard case .bytes(let count) = unsafe System.read(file.descriptor, at: offset, into: buffer)
        else { return nil }
        let bytes = unsafe UnsafeRawBufferPointer(rebasing: buffer[..<count])
        let span = unsafe Span<UInt8>(_unsafeElements: bytes.bindMemory(to: UInt8.self))
        tls?.write(span)
        takeCiphertext()
        return count
    }

    private mutating func insert(_ piece: Piece, _ count: Int) {
        inserts.append(Insert(position: output.count, piece: piece))
        insertBytes += count
    }

    /// Once all is written, tells the peer that nothing more comes.
    mutating func shutdownAfterFlush() {
        tls?.shutdown()
        takeCiphertext()
        if ending == .none { ending = .shutdown }
    }

    /// Once all is written, `flush` says `.close`.
    mutating func closeAfterFlush() {
        tls?.shutdown()
        takeCiphertext()
        ending = .close
    }

    /// Closes at once. With `reset` the peer learns that what it got is not all.
    mutating func close(reset: Bool = false) {
        guard socket >= 0 else { return }
        if let registration { loop.forget(registration) }
        registration = nil
        if reset { System.resetOnClose(socket) }
        _ = reileta_close(socket)
        socket = -1
        inserts = []
        insertHead = 0
        insertBytes = 0
        returnBuffer()
    }

    /// Writes as much as the kernel takes.
    mutating func flush() -> Flushed {
        while pending > 0 {
            guard socket >= 0 else { return .failed }
            guard mayWrite else { return .blocked }
            switch insertHead == inserts.count ? sendOutput() : sendParts() {
            case .bytes(let count):
                // A file that is shorter than it was when it was opened.
                if count == 0 { return .failed }
                advance(count)
                progress = loop.now()
            case .wouldBlock:
                mayWrite = false
                return .blocked
            case .failed:
                return .failed
            }
        }
        returnBuffer()
        switch ending {
        case .none: return .done
        case .shutdown:
            ending = .none
            if socket >= 0 { System.shutdownWriting(socket) }
            return .done
        case .close: return .close
        }
    }

    private func sendOutput() -> Transfer {
        unsafe output.withUnsafeBytes { bytes in
            unsafe System.send(socket, UnsafeRawBufferPointer(rebasing: bytes[written...]))
        }
    }

    private func sendParts() -> Transfer {
        if inserts[insertHead].position == written,
            case .file(let file, let range) = inserts[insertHead].piece
        {
            let count = Int(range.upperBound - range.lowerBound)
            return System.sendFile(
                socket, from: file.descriptor, at: range.lowerBound, count: count)
        }
        return unsafe output.withUnsafeBytes { bytes in
            unsafe withUnsafeTemporaryAllocation(of: iovec.self, capacity: Self.vectorLimit) {
                parts in
                var count = 0
                var from = written
                var index = insertHead
                while count < Self.vectorLimit {
                    let to = index < inserts.count ? inserts[index].position : bytes.count
                    if to > from {
                        // The kernel only reads, whatever iovec's type says.
                        let start = unsafe UnsafeMutableRawPointer(
                            mutating: bytes.baseAddress.map { unsafe $0 + from })
                        unsafe parts[count] = iovec(iov_base: start, iov_len: to - from)
                        count += 1
                        from = to
                        continue
                    }
                    guard index < inserts.count, case .shared(let slice) = inserts[index].piece
                    else { break }
                    unsafe slice.withUnsafeBytes { bytes in
                        unsafe parts[count] = iovec(
                            iov_base: UnsafeMutableRawPointer(mutating: bytes.baseAddress),
                            iov_len: bytes.count)
                    }
                    count += 1
                    index += 1
                }
                // Not MSG_MORE where a file follows: what is glued to the head that way leaves in
                // segments that cost the kernel more than twice as much.
                return unsafe System.send(
                    socket, UnsafeMutableBufferPointer(rebasing: parts[..<count]))
            }
        }
    }

    private mutating func advance(_ count: Int) {
        var left = count
        while left > 0 {
            let boundary = insertHead < inserts.count ? inserts[insertHead].position : output.count
            if boundary > written {
                let step = min(left, boundary - written)
                written += step
                left -= step
                continue
            }
            let step: Int
            switch inserts[insertHead].piece {
            case .shared(let slice):
                step = min(left, slice.count)
                inserts[insertHead].piece = .shared(slice.dropFirst(step))
                if step == slice.count { dropInsert() }
            case .file(let file, let range):
                step = min(left, Int(range.upperBound - range.lowerBound))
                let rest = range.lowerBound + Int64(step)..<range.upperBound
                inserts[insertHead].piece = .file(file, rest)
                if rest.isEmpty { dropInsert() }
            }
            insertBytes -= step
            left -= step
        }
        compact()
    }

    private mutating func dropInsert() {
        inserts[insertHead].piece = .shared([])
        insertHead += 1
    }

    /// A stream that never runs dry must not keep what it has written.
    private mutating func compact() {
        if insertHead == inserts.count {
            // A few are kept room for, which a socket of a room needs in every tick.
            if insertHead > 0 { inserts.removeAll(keepingCapacity: inserts.capacity <= 4) }
            insertHead = 0
        } else if insertHead >= 64 {
            inserts.removeFirst(insertHead)
            insertHead = 0
        }
        guard written >= 65_536, written < output.count else { return }
        output.removeFirst(written)
        for index in insertHead..<inserts.count { inserts[index].position -= written }
        written = 0
    }

    private mutating func borrowBuffer() {
        if output.capacity == 0 { output = loop.takeSpare() }
        if pending == 0 { progress = loop.now() }
    }

    private mutating func returnBuffer() {
        written = 0
        guard output.capacity > 0 else { return }
        var returned = ByteWriter()
        swap(&returned, &output)
        returned.removeAll()
        if loop.spare.capacity == 0 { loop.spare = returned }
    }
}
