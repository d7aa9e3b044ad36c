internal import Glibc

extension Files {
  /// For `OpenFile`: write at the end, make the file if there is none.
  public static var appendFlags: Int32 { O_WRONLY | O_APPEND | O_CREAT }
}
