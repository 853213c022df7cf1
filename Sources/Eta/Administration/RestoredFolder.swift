import Storage

/// What a restore puts in the place of what a data folder has: all of it or nothing, whenever it is
/// broken off.
///
/// Everything is brought to `restore.new` first. Its being renamed to `restore` is the restore; that
/// what is in there then goes to its places is begun at once, and finished by the next start when
/// it was broken off. All within the data folder, which may be a mount of its own.
enum RestoredFolder {
    /// What a node is, in the order in which it is put in its place.
    static let database = "eta.sqlite"
    static let files = "files"
    static let keys = "keys"

    /// Where it is brought together.
    static func staging(in data: String) -> String { data + "/restore.new" }
    private static func ready(in data: String) -> String { data + "/restore" }

    /// Whether a restore has happened whose parts are not all in their places.
    static func isUnfinished(in data: String) throws(FileError) -> Bool {
        try Disk.kind(of: ready(in: data)) != nil
    }

    /// An empty folder to bring things together in.
    static func begin(in data: String) throws(FileError) -> String {
        let staging = staging(in: data)
        try Disk.removeAll(staging)
        try Disk.makeFolders(staging)
        return staging
    }

    /// Makes what was brought together what the node is. Its files are durable, its folders not yet.
    static func commit(in data: String) throws(FileError) {
        try Disk.sync(folder: staging(in: data))
        try Disk.rename(staging(in: data), to: ready(in: data))
        try Disk.sync(folder: data)
        _ = try finish(in: data)
    }

    /// Puts what is left in its place; false when nothing was. Who calls holds the folder.
    static func finish(in data: String) throws(FileError) -> Bool {
        let ready = ready(in: data)
        guard try isUnfinished(in: data) else { return false }
        for name in [keys, files, database] where try Disk.kind(of: ready + "/" + name) != nil {
            // The log of a database belongs to that one alone.
            let former = name == database ? [name, name + "-wal", name + "-shm"] : [name]
            for name in former { try Disk.removeAll(data + "/" + name) }
            try Disk.sync(folder: data)
            try Disk.rename(ready + "/" + name, to: data + "/" + name)
            try Disk.sync(folder: data)
        }
        try Disk.removeAll(ready)
        try Disk.sync(folder: data)
        return true
    }
}
