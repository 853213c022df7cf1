import API
import Base
import Crypto
import Domain
import HTTP
import Storage

/// Receives images and stores them: at most a few megabytes, so each is looked at whole before a
/// byte of it is kept.
struct ImageDesk: Sendable {
    /// Bytes of an image.
    static let largest = 4 << 20
    /// What a form may have around it.
    private static let formOverhead = 64 << 10

    let files: FileStore

    /// The image in a request's body: the body itself, or the part `file` of a form.
    ///
    /// - Throws: 51 for another type, 52 for too many bytes, `invalid` for what is no sound PNG.
    func receive(_ request: Request, or invalid: ErrorCode) async throws(APIError) -> [UInt8] {
        let type = request.head.mediaType
        let form = type.flatMap { MultipartParser($0) }
        guard form != nil || type?.essence == MediaType.png else {
            throw APIError(.unsupportedMediaType)
        }
        let limit = Self.largest + (form == nil ? 0 : Self.formOverhead)
        if let length = request.bodyLength, length > Int64(limit) {
            throw APIError(.payloadTooLarge)
        }
        let body: [UInt8]
        do throws(BodyError) {
            body = try await request.body.collect(limit: limit)
        } catch {
            throw APIError(error)
        }
        let image = try form.map { (parser) throws(APIError) in
            try Self.file(in: body, parser, or: invalid)
        }
        let bytes = image ?? body
        guard bytes.count <= Self.largest else { throw APIError(.payloadTooLarge) }
        do throws(PNGProblem) {
            try PNGCheck.check(bytes)
        } catch {
            throw APIError(invalid, field: "file", error.message)
        }
        return bytes
    }

    private static func file(
        in body: [UInt8], _ parser: MultipartParser, or invalid: ErrorCode
    ) throws(APIError) -> [UInt8] {
        var (parser, bytes) = (parser, [UInt8]())
        parser.receive(body)
        while let effect = parser.next() {
            switch effect {
            case .fileBegan: break
            case .bytes(let more): bytes += more
            case .finished(let hadFile):
                guard hadFile else {
                    throw APIError(invalid, field: "file", "is no part of the form")
                }
                return bytes
            case .malformed: throw APIError(.malformedRequest, context: "form")
            }
        }
        throw APIError(.malformedRequest, context: "a form without an end")
    }

    /// Puts the image into the store, where it is pinned until `act` has named it. What it does not
    /// name is deleted, once nothing pins it any more.
    func keep<Answer: Sendable>(
        _ image: [UInt8], _ keeper: FileKeeper,
        _ act: (StoredFile) async throws(APIError) -> Answer
    ) async throws(APIError) -> Answer {
        let (hash, outcome) = try await hold(image, act)
        if case .failure = outcome { await keeper.release([hash]) }
        return try outcome.get()
    }

    private func hold<Answer: Sendable>(
        _ image: [UInt8], _ act: (StoredFile) async throws(APIError) -> Answer
    ) async throws(APIError) -> (SHA256Digest, Result<Answer, APIError>) {
        let file = try await store(image)
        defer { withExtendedLifetime(file) {} }
        do throws(APIError) {
            return (file.hash, .success(try await act(file)))
        } catch {
            return (file.hash, .failure(error))
        }
    }

    private func store(_ image: [UInt8]) async throws(APIError) -> StoredFile {
        do throws(FileStoreError) {
            let upload = try await files.upload()
            do throws(FileStoreError) {
                try await upload.append(image)
                return try await upload.finish()
            } catch {
                await upload.discard()
                throw error
            }
        } catch {
            throw APIError(error)
        }
    }

    /// Answers with an image, or 2 where there is none, or not the one that is named.
    ///
    /// `isOpen`: whether anybody may keep it.
    func answer(
        _ context: RequestContext, with digest: SHA256Digest?, named hash: ContentHash?,
        isOpen: Bool
    ) throws(APIError) -> Response {
        guard let digest, hash == nil || hash?.bytes == digest.bytes else {
            throw APIError(.requestNotFound)
        }
        let file: StoredFile?
        do throws(FileStoreError) { file = try files.open(digest) } catch {
            throw APIError(error)
        }
        guard let file else { throw .internalError("the image \(digest.hex) is missing") }
        let isShared = isOpen && context.caller.kind == .nobody
        let lifetime = hash == nil ? "no-cache" : "max-age=31536000, immutable"
        return try FileResponse.make(
            for: context.request.head, of: file, eTag: Self.tag(digest),
            contentType: MediaType.png,
            fields: Fields(
                (.cacheControl, "\(isShared ? "public" : "private"), \(lifetime)"),
                (.vary, "Authorization"))
        ) {
            Hex.encode(context.ambient.random.bytes(16))
        }
    }

    /// The strong tag of an image.
    static func tag(_ digest: SHA256Digest) -> ETag { ETag(strong: digest.hex) }
}
