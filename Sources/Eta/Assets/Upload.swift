import API
import Base
import Crypto
import Domain
import HTTP
import Storage

/// What a request to upload a file asks for, before a byte of it is read.
struct UploadOrder: Sendable {
    /// Whose file it is.
    let asset: AssetID
    /// Names the part that is kept when the upload breaks off; nil where nothing is to be kept.
    let key: String?
    /// What the whole file must hash to.
    let expected: SHA256Digest?
    /// What this request's body must hash to.
    let digest: SHA256Digest?
    /// Where in the file its bytes belong.
    let start: Int64
    /// Where they end, and how long the file is; nil when the body's end is the file's.
    let part: (end: Int64, total: Int64)?
    /// Whether it only asks how much has arrived.
    let isQuestion: Bool
    /// Finds the file in a form; nil for a body that is the file.
    let form: MultipartParser?
    /// The most bytes of the file.
    let largest: Int64
    /// The most bytes of the body that this request can bring, where it says so.
    let length: Int64?

    /// How large the whole file will be, where that is said.
    var announced: Int64? { part?.total ?? (form == nil ? length : nil) }

    /// What a form may have around the file.
    static let formOverhead: Int64 = 1 << 20

    /// Reads the request's fields.
    ///
    /// - Throws: 26 for fields that make no sense, 51 for a body that is no form though it says it
    ///   is one of several parts, 52 for what is too large.
    init(
        asset: AssetID, hash: ContentHash?, _ request: Request, largest: Int64
    ) throws(APIError) {
        let head = request.head
        self.asset = asset
        key = hash.map { "\(asset).\($0)" }
        expected = hash.flatMap { SHA256Digest($0.bytes) }
        self.largest = largest
        length = request.bodyLength
        switch ContentDigest.of(head) {
        case .absent: digest = nil
        case .sha256(let bytes): digest = SHA256Digest(bytes)
        case .malformed: throw Self.invalid("Content-Digest", "must be as RFC 9530 has it")
        }
        let type = head.mediaType
        form = type.flatMap { MultipartParser($0) }
        if form == nil, type?.essence.hasPrefix("multipart/") ?? false {
            throw APIError(.unsupportedMediaType)
        }
        let most = form == nil ? largest : largest + Self.formOverhead
        if let length, length > most { throw APIError(.payloadTooLarge) }
        guard let field = head.field(.contentRange) else {
            (start, part, isQuestion) = (0, nil, false)
            return
        }
        guard head.all(.contentRange).count == 1, let range = ContentRange(field),
            let total = range.size
        else {
            throw Self.invalid("Content-Range", "must be bytes first-last/size or bytes */size")
        }
        if hash == nil { throw Self.invalid("hash", "is needed with Content-Range") }
        if total > largest { throw APIError(.payloadTooLarge) }
        guard let bytes = range.range else {
            guard length == 0 else { throw Self.invalid("Content-Range", "asks, without a body") }
            (start, part, isQuestion) = (0, nil, true)
            return
        }
        if form == nil, let length, length != bytes.upperBound - bytes.lowerBound {
            throw Self.invalid("Content-Range", "must be as long as the body")
        }
        (start, part, isQuestion) = (bytes.lowerBound, (bytes.upperBound, total), false)
    }

    /// The asset whose upload has that key.
    static func asset(ofKey key: String) -> AssetID? {
        AssetID(String(key.prefix { $0 != "." }))
    }

    static func invalid(_ field: String, _ message: String) -> APIError {
        APIError(.assetInvalidInput, field: field, message)
    }
}

/// Streams a request's body into the store; at no time more of it is in memory than the store
/// gathers for one write.
enum Upload {
    /// Why an upload ends before its end.
    private enum Stop: Error {
        /// The body broke off: what has arrived is worth keeping.
        case broken(BodyError)
        /// What has arrived is wrong, or cannot be kept.
        case refused(APIError)
    }

    /// How much of the file has arrived.
    static func received(_ order: UploadOrder, _ files: FileStore) async throws(APIError) -> Int64 {
        guard let key = order.key else { return 0 }
        return try await storing { () throws(FileStoreError) in try await files.received(key) }
    }

    /// Receives what the order promises. Nil when it was a part and more is to come.
    ///
    /// What breaks off is kept where the order has a key; what turns out to be wrong is not.
    static func receive(
        _ order: UploadOrder, _ request: Request, _ files: FileStore, _ room: FileQuota.Room
    ) async throws(APIError) -> StoredFile? {
        let free = try await storing { () throws(FileStoreError) in try await files.freeSpace() }
        if free < order.length ?? 1 { throw APIError(.insufficientStorage) }
        if room.bytes < order.announced ?? 1 { throw room.refusal }
        let upload = try await storing { () throws(FileStoreError) in
            try await files.upload(key: order.key, at: order.start)
        }
        do throws(Stop) {
            try await pour(request.body, into: upload, order, room)
        } catch {
            switch error {
            case .broken(let reason):
                // Without a key this throws away what has arrived; with one it cannot do worse.
                try? await upload.suspend()
                throw APIError(reason)
            case .refused(let reason):
                await upload.discard()
                throw reason
            }
        }
        if let part = order.part, part.end < part.total {
            try await storing { () throws(FileStoreError) in try await upload.suspend() }
            return nil
        }
        return try await storing { () throws(FileStoreError) in
            try await upload.finish(expecting: order.expected)
        }
    }

    /// Reads the body to its end and checks all but the hash of the whole.
    private static func pour(
        _ body: any BodySource, into upload: FileUpload, _ order: UploadOrder,
        _ room: FileQuota.Room
    ) async throws(Stop) {
        var hasher = SHA256.Incremental()
        var form = order.form
        var isFormWhole = false
        var arrived: Int64 = 0
        while let chunk = try await next(body) {
            arrived += Int64(chunk.count)
            guard arrived <= order.largest + UploadOrder.formOverhead else {
                throw .refused(APIError(.payloadTooLarge))
            }
            if order.digest != nil { hasher.update(chunk) }
            guard form != nil else {
                try await take(chunk, into: upload, order, room)
                continue
            }
            form?.receive(chunk)
            while let effect = form?.next() {
                switch effect {
                case .fileBegan: break
                case .bytes(let bytes): try await take(bytes, into: upload, order, room)
                case .finished(let hadFile):
                    guard hadFile else {
                        throw .refused(UploadOrder.invalid("file", "is no part of the form"))
                    }
                    isFormWhole = true
                case .malformed: throw .refused(APIError(.malformedRequest, context: "form"))
                }
            }
        }
        if form != nil, !isFormWhole { throw .broken(.malformed) }
        if let digest = order.digest, hasher.finish() != digest {
            throw .refused(
                APIError(.assetInvalidFile, field: "Content-Digest", "is of other bytes"))
        }
        if let part = order.part, upload.received != part.end { throw .broken(.closed) }
        if upload.received == 0 {
            throw .refused(APIError(.assetInvalidFile, field: "file", "is empty"))
        }
    }

    private static func next(_ body: any BodySource) async throws(Stop) -> [UInt8]? {
        do throws(BodyError) { return try await body.next() } catch { throw .broken(error) }
    }

    private static func take(
        _ bytes: [UInt8], into upload: FileUpload, _ order: UploadOrder, _ room: FileQuota.Room
    ) async throws(Stop) {
        let end = upload.received + Int64(bytes.count)
        if let part = order.part, end > part.end {
            throw .refused(UploadOrder.invalid("Content-Range", "must be as long as the body"))
        }
        guard end <= order.largest else { throw .refused(APIError(.payloadTooLarge)) }
        guard end <= room.bytes else { throw .refused(room.refusal) }
        do throws(FileStoreError) { try await upload.append(bytes) } catch {
            throw .refused(APIError(error))
        }
    }

    private static func storing<Answer>(
        _ work: () async throws(FileStoreError) -> Answer
    ) async throws(APIError) -> Answer {
        do throws(FileStoreError) { return try await work() } catch { throw APIError(error) }
    }
}

/// Which assets a file is on its way to: one upload at a time each.
final class UploadDesk: Sendable {
    /// A place at the desk, until it is left.
    struct Place: Sendable {
        fileprivate let desk: UploadDesk
        fileprivate let asset: AssetID

        /// Makes room for the next one.
        func leave() { desk.busy.withLock { _ = $0.remove(asset) } }
    }

    private let busy = Lock<Set<AssetID>>([])

    /// The place of that asset; nil while another upload has it.
    func enter(_ asset: AssetID) -> Place? {
        busy.withLock { $0.insert(asset).inserted } ? Place(desk: self, asset: asset) : nil
    }
}
