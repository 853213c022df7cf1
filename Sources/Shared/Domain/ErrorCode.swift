/// The whole table of the contract's errors; nothing else invents a number.
///
/// Clients switch on the number: 1 to 50 are what the first AtelierVR clients know, the rest came
/// with this server. A name is the case's own, with a capital.
public enum ErrorCode: UInt16, Sendable, CaseIterable, Codable {
    case serviceDisabled = 1
    case requestNotFound = 2
    case userNotLogged = 3
    case userDontHavePermission = 4
    case serverNotFound = 5
    case noResponseFromServer = 6
    case noDataFromServer = 7
    case badDataFromServer = 8
    case badRedirectionFromServer = 9
    case retryWithNewGateway = 10
    case badStructureFromServer = 11
    case userCannotUpdate = 12
    case userInvalidInput = 14
    case userAlreadyConnected = 15
    case internalError = 16
    case userNotFound = 17
    case userCannotFetch = 18
    case userCannotDelete = 19
    case sessionNotFound = 20
    case sessionInvalidInput = 21
    case authInvalidInput = 22
    case authInvalidLogin = 23
    case worldInvalidInput = 24
    case worldNotFound = 25
    case assetInvalidInput = 26
    case assetNotFound = 27
    case notImplemented = 28
    case serverInvalidInput = 29
    case worldAlreadyExists = 30
    case assetUploadRefused = 31
    case assetInvalidFile = 32
    case instanceInvalidInput = 33
    case integrityInvalidInput = 34
    case integrityNotFound = 35
    case instanceNotFound = 36
    case alreadyFollowing = 37
    case tagNotFound = 38
    case notInInstance = 39
    case invalidModerationType = 40
    case objectNotInternal = 41
    case userDontHaveHome = 43
    case assetAlreadyExists = 45
    case fileNotUploaded = 46
    case instanceAlreadyExists = 47
    case instanceIsFull = 48
    case userNotAllowed = 49
    case playerNotFound = 50
    case unsupportedMediaType = 51
    case payloadTooLarge = 52
    case preconditionFailed = 53
    case wrongCredential = 54
    case tooManyRequests = 55
    case malformedRequest = 56
    case serverDenied = 57
    case userSuspended = 58
    case challengeNotFound = 59
    case challengeFailed = 60
    case addressRefused = 61
    case serviceNotFound = 62
    case serviceInvalidInput = 63
    case serviceAlreadyExists = 64
    case serviceUnavailable = 65
    case noInstanceServer = 66
    case alreadyExists = 67
    case insufficientStorage = 68
    case rangeNotSatisfiable = 69
    case overloaded = 70
    case playerMuted = 71
    case invalidSubscription = 72

    /// The name that the contract gives it.
    public var name: String {
        let name = String(describing: self)
        return name.prefix(1).uppercased() + name.dropFirst()
    }

    /// The HTTP status that goes with it; an `APIError` may be more exact (405, 431).
    public var status: UInt16 { row.status }

    /// What people are told.
    public var message: String { row.message }

    /// Whether the same request may succeed a little later without anybody changing anything.
    public var isRetryable: Bool { row.retry }

    // A table is read in columns.
    // swift-format-ignore
    private var row: (status: UInt16, retry: Bool, message: String) {
        switch self {
        case .serviceDisabled:          (503, false, "This is switched off here.")
        case .requestNotFound:          (404, false, "There is nothing at this path.")
        case .userNotLogged:            (401, false, "Log in first.")
        case .userDontHavePermission:   (403, false, "You may not do this.")
        case .serverNotFound:           (404, false, "No such server was found.")
        case .noResponseFromServer:     (504, true,  "The other server does not answer.")
        case .noDataFromServer:         (502, false, "The other server sent no data.")
        case .badDataFromServer:        (502, false, "The other server sent something wrong.")
        case .badRedirectionFromServer: (502, false, "The gateway is not the other server's.")
        case .retryWithNewGateway:      (307, true,  "Repeat this request at the new gateway.")
        case .badStructureFromServer:   (502, false, "The other server sent another shape.")
        case .userCannotUpdate:         (403, false, "You may not change this user.")
        case .userInvalidInput:         (400, false, "The user's fields are not valid.")
        case .userAlreadyConnected:     (409, false, "This user is already connected.")
        case .internalError:            (500, false, "Something went wrong on the server.")
        case .userNotFound:             (404, false, "There is no such user.")
        case .userCannotFetch:          (403, false, "You may not fetch this.")
        case .userCannotDelete:         (403, false, "You may not delete this user.")
        case .sessionNotFound:          (404, false, "There is no such session.")
        case .sessionInvalidInput:      (400, false, "The session's fields are not valid.")
        case .authInvalidInput:         (400, false, "The login's fields are not valid.")
        case .authInvalidLogin:         (401, false, "Name or password is wrong.")
        case .worldInvalidInput:        (400, false, "The world's fields are not valid.")
        case .worldNotFound:            (404, false, "There is no such world.")
        case .assetInvalidInput:        (400, false, "The asset's fields are not valid.")
        case .assetNotFound:            (404, false, "There is no such asset.")
        case .notImplemented:           (501, false, "This is not built yet.")
        case .serverInvalidInput:       (400, false, "The server's fields are not valid.")
        case .worldAlreadyExists:       (409, false, "There is a world with this id.")
        case .assetUploadRefused:       (409, false, "The upload is refused.")
        case .assetInvalidFile:         (400, false, "The file is not what it should be.")
        case .instanceInvalidInput:     (400, false, "The instance's fields are not valid.")
        case .integrityInvalidInput:    (400, false, "The integrity's fields are not valid.")
        case .integrityNotFound:        (404, false, "There is no such integrity.")
        case .instanceNotFound:         (404, false, "There is no such instance.")
        case .alreadyFollowing:         (409, false, "You follow this user already.")
        case .tagNotFound:              (400, false, "There is no such tag.")
        case .notInInstance:            (403, false, "You are not in this instance.")
        case .invalidModerationType:    (400, false, "There is no such kind of moderation.")
        case .objectNotInternal:        (403, false, "This belongs to another server.")
        case .userDontHaveHome:         (404, false, "This user has no home.")
        case .assetAlreadyExists:       (409, false, "There is an asset like this one.")
        case .fileNotUploaded:          (409, false, "No file was uploaded yet.")
        case .instanceAlreadyExists:    (409, false, "There is an instance with this id or name.")
        case .instanceIsFull:           (409, false, "The instance is full.")
        case .userNotAllowed:           (403, false, "You may not enter this instance.")
        case .playerNotFound:           (404, false, "There is no such player.")
        case .unsupportedMediaType:     (415, false, "This endpoint takes another media type.")
        case .payloadTooLarge:          (413, false, "This is too large.")
        case .preconditionFailed:       (412, false, "The object has changed since.")
        case .wrongCredential:          (401, false, "This credential is of another kind.")
        case .tooManyRequests:          (429, true,  "Too many requests; wait a little.")
        case .malformedRequest:         (400, false, "The request cannot be read.")
        case .serverDenied:             (403, false, "This server is denied.")
        case .userSuspended:            (403, false, "This user is suspended.")
        case .challengeNotFound:        (404, false, "There is no such challenge.")
        case .challengeFailed:          (401, false, "The signature does not prove the address.")
        case .addressRefused:           (403, false, "This address is not allowed.")
        case .serviceNotFound:          (404, false, "There is no such service.")
        case .serviceInvalidInput:      (400, false, "The service's fields are not valid.")
        case .serviceAlreadyExists:     (409, false, "There is a service with this id.")
        case .serviceUnavailable:       (502, true,  "The service does not answer.")
        case .noInstanceServer:         (503, true,  "No instance server can take the instance.")
        case .alreadyExists:            (409, false, "This name or address is taken.")
        case .insufficientStorage:      (507, true,  "There is no space left.")
        case .rangeNotSatisfiable:      (416, false, "The file has no such range.")
        case .overloaded:               (503, true,  "The server is overloaded; try again soon.")
        case .playerMuted:              (403, false, "You are muted.")
        case .invalidSubscription:      (400, false, "There is no such event or service.")
        }
    }
}

extension ErrorCode {
    /// What may go wrong where something is read from another node.
    public static let ofReadingAbroad: [ErrorCode] = [
        .userCannotFetch, .serverNotFound, .noResponseFromServer, .noDataFromServer,
        .badDataFromServer, .badRedirectionFromServer, .badStructureFromServer, .serverDenied,
        .addressRefused,
    ]
}
