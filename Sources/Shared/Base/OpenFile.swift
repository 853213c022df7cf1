/// A file held open for reading; the last reference to it closes it.
///
/// It is here so that the store of files can hand one to an HTTP response without either module
/// knowing the other.
public protocol OpenFile: AnyObject, Sendable {
    /// The descriptor, valid as long as this object is.
    var descriptor: Int32 { get }
    /// The file's bytes when it was opened.
    var size: Int64 { get }
}
