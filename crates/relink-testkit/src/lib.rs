//! What the tests share: a short schema language, database servers, the stocktake generator.
