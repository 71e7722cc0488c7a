//! Archives of NumPy arrays: `numpy.savez` with the arrays `X` and `y`, or one sparse matrix of
//! `scipy.sparse.save_npz`.

use std::io::{Cursor, Read};

use zip::ZipArchive;

use super::array::{Array, text_features};
use super::columns::{Purpose, generic_target_names};
use super::npy;
use super::options::ReadOptions;
use super::part::{Part, bad, empty};
use super::sparse::Compressed;
use crate::data::align::generic_names;
use crate::data::dataset::{Labels, Named, Target};
use crate::data::labels::list;
use crate::data::matrix::Matrix;
use crate::error::{Error, Result};

/// The arrays of an archive, read when asked for.
pub(super) struct Archive<'a> {
    zip: ZipArchive<Cursor<&'a [u8]>>,
    /// Without the extension `.npy`.
    names: Vec<String>,
    source: &'a str,
}

impl<'a> Archive<'a> {
    /// Opens the archive in `bytes`.
    ///
    /// # Errors
    /// [`Error::Data`] when it is not a zip archive.
    pub fn open(bytes: &'a [u8], source: &'a str) -> Result<Self> {
        if bytes.is_empty() {
            return Err(empty(source, "give a file that numpy.savez wrote"));
        }
        let zip = ZipArchive::new(Cursor::new(bytes)).map_err(|e| {
            bad(
                source,
                None,
                None,
                format!("this is not an .npz archive: {e}"),
                "write it with numpy.savez, or name its format (--data-format)",
            )
        })?;
        let names = zip
            .file_names()
            .filter_map(|name| name.strip_suffix(".npy").map(str::to_string))
            .collect();
        Ok(Self { zip, names, source })
    }

    fn has(&self, name: &str) -> bool {
        self.names.iter().any(|known| known == name)
    }

    fn error(&self, what: String) -> Error {
        let remedy = if self.names.is_empty() {
            "write the archive with numpy.savez".to_string()
        } else {
            format!("its arrays are {}", list(&self.names))
        };
        bad(self.source, None, None, what, remedy)
    }

    /// The first of the names that is there.
    fn first(&self, names: &[&'static str], use_as: &str) -> Result<&'static str> {
        names
            .iter()
            .copied()
            .find(|name| self.has(name))
            .ok_or_else(|| {
                self.error(format!(
                    "the archive has no array {} for {use_as}",
                    names.join(" or ")
                ))
            })
    }

    /// The array of that name, with its name in the archive as the source of its errors.
    fn array(&mut self, name: &str) -> Result<Array> {
        self.array_with(name, false)
    }

    /// The same where missing numbers may be kept.
    fn array_with(&mut self, name: &str, keep_missing: bool) -> Result<Array> {
        if !self.has(name) {
            return Err(self.error(format!("the archive has no array \"{name}\"")));
        }
        let source = self.name_of(name);
        let corrupt = |e: String| {
            bad(
                &source,
                None,
                None,
                format!("the array cannot be decompressed: {e}"),
                "write the archive again with numpy.savez",
            )
        };
        let mut file = self
            .zip
            .by_name(&format!("{name}.npy"))
            .map_err(|e| corrupt(e.to_string()))?;
        // Never more than one byte past what the array's own header declares.
        let mut contents = Vec::new();
        file.by_ref()
            .take(npy::LONGEST_HEADER as u64 + 12)
            .read_to_end(&mut contents)
            .map_err(|e| corrupt(e.to_string()))?;
        let declared = npy::declared_length(&contents, &source)?;
        let rest = declared.saturating_sub(contents.len()) as u64;
        file.take(rest.saturating_add(1))
            .read_to_end(&mut contents)
            .map_err(|e| corrupt(e.to_string()))?;
        npy::parse(&contents, &source, keep_missing)
    }

    /// An array of the archive, for messages.
    fn name_of(&self, array: &str) -> String {
        format!("{} [{array}]", self.source)
    }

    fn is_sparse(&self) -> bool {
        ["format", "shape", "indptr", "indices", "data"]
            .iter()
            .all(|name| self.has(name))
    }

    /// The error that names a sparse matrix of another form, where the archive is one.
    fn other_sparse(&mut self) -> Option<Error> {
        if !["format", "shape", "data"]
            .iter()
            .all(|name| self.has(name))
        {
            return None;
        }
        let form = match self.array("format").ok()?.values {
            Labels::Text(form) if form.len() == 1 => form[0].to_ascii_uppercase(),
            _ => return None,
        };
        let how = match form.as_str() {
            "COO" => "by coordinates (COO)",
            "DIA" => "by diagonals (DIA)",
            "BSR" => "by blocks (BSR)",
            _ => return None,
        };
        Some(bad(
            self.source,
            None,
            None,
            format!("the sparse matrix is stored {how}, and neither by rows nor by columns"),
            "convert it with tocsr() before saving it",
        ))
    }

    fn sparse_part(&mut self) -> Result<Part> {
        let matrix = Compressed {
            format: self.array("format")?,
            shape: self.array("shape")?,
            indptr: self.array("indptr")?,
            indices: self.array("indices")?,
            data: self.array("data")?,
        }
        .into_sparse(self.source)?;
        Ok(Part {
            factors: Vec::new(),
            kinds: Vec::new(),
            feature_names: generic_names(matrix.columns),
            matrix: Some(Matrix::Sparse(matrix)),
            targets: Vec::new(),
            weights: None,
            named: Named::default(),
        })
    }

    /// The only array, or the one named `X` (or `y`).
    fn features_or_only(&self, names: &[&'static str], use_as: &str) -> Result<String> {
        match self.names.as_slice() {
            [only] => Ok(only.clone()),
            _ => self.first(names, use_as).map(str::to_string),
        }
    }

    /// The whole array as features, with the names of the array `feature_names` if there is one.
    fn features(&mut self, name: &str, keep_missing: bool) -> Result<Part> {
        let source = self.name_of(name);
        let mut part = self.array_with(name, keep_missing)?.into_part(
            &source,
            Purpose::Features,
            &ReadOptions::default(),
            false,
        )?;
        if self.has("feature_names") {
            let Labels::Text(names) = self.array("feature_names")?.values else {
                return Err(self.error("the array feature_names is not text".to_string()));
            };
            if names.len() != part.feature_names.len() {
                return Err(Error::shape(
                    self.name_of("feature_names"),
                    format!("{} names, one per feature", part.feature_names.len()),
                    names.len().to_string(),
                    "name every column of X once",
                ));
            }
            part.feature_names = names;
            part.named.features = true;
        }
        Ok(part)
    }

    /// The columns of an array as targets, named like the array.
    fn targets(&mut self, name: &str) -> Result<Vec<Target>> {
        let source = self.name_of(name);
        let part = self.array(name)?.into_part(
            &source,
            Purpose::Targets,
            &ReadOptions::default(),
            false,
        )?;
        let names = generic_target_names(part.targets.len());
        Ok(part
            .targets
            .into_iter()
            .zip(names)
            // `y` is the generic name; a matrix of targets is numbered.
            .map(|(target, generic)| Target {
                name: generic.replacen('y', name, 1),
                values: target.values,
            })
            .collect())
    }

    /// Reads what the purpose needs.
    ///
    /// # Errors
    /// [`Error::Data`] when an array is missing or malformed.
    pub fn read(mut self, purpose: Purpose<'_>, options: &ReadOptions) -> Result<Part> {
        const X: [&str; 2] = ["X", "x"];
        const Y: [&str; 2] = ["y", "Y"];
        let other_sparse = match purpose {
            Purpose::Targets => None,
            _ if self.is_sparse() => None,
            _ => self.other_sparse(),
        };
        if let Some(error) = other_sparse {
            return Err(error);
        }
        let mut part = match purpose {
            Purpose::Targets => Part::default(),
            _ if self.is_sparse() => self.sparse_part()?,
            Purpose::Features => {
                let name = self.features_or_only(&X, "the features")?;
                self.features(&name, options.keep_missing)?
            }
            _ => {
                let name = self.first(&X, "the features")?;
                self.features(name, options.keep_missing)?
            }
        };
        let targets = match purpose {
            Purpose::Features => Vec::new(),
            // A model predicts without targets; they are taken where the archive has them.
            Purpose::Model(_) => {
                let named = options.targets.iter();
                named.filter(|name| self.has(name)).cloned().collect()
            }
            _ if !options.targets.is_empty() => options.targets.clone(),
            Purpose::Targets => vec![self.features_or_only(&Y, "the target")?],
            Purpose::Dataset => vec![self.first(&Y, "the target")?.to_string()],
        };
        for name in &targets {
            part.targets.extend(self.targets(name)?);
        }
        let optional = !matches!(purpose, Purpose::Dataset);
        if let Some(name) = &options.weights_column
            && (!optional || self.has(name))
        {
            let source = self.name_of(name);
            part.weights = Some(self.array(name)?.into_vector(&source)?);
        }
        Ok(part)
    }

    /// The vector in the only array, or in the one named `name`.
    ///
    /// # Errors
    /// As [`Archive::read`].
    pub fn vector(mut self) -> Result<Vec<f64>> {
        let [name] = self.names.as_slice() else {
            return Err(self.error("a vector is expected, one array".to_string()));
        };
        let name = name.clone();
        let source = self.name_of(&name);
        let array = self.array(&name)?;
        if matches!(array.values, Labels::Text(_)) {
            return Err(text_features(&source));
        }
        array.into_vector(&source)
    }
}
